// L0: what connections pay for being there, so that those which are of little use vanish.
//
//   Ω = λ Σ P(z ≠ 0),   P = σ(a - β ln(-γ / ζ)),   da = λ P (1 - P)
//
// over the logits a of hard-concrete gates (fusion/hard_concrete.hpp), SNR's for one. `gates` are
// to be those of the layer. Source: Louizos et al., ICLR 2018; Ma et al. (SNR), AAAI 2019.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "plait/core/fields.hpp"
#include "plait/fusion/hard_concrete.hpp"
#include "plait/penalties/penalty.hpp"

namespace plait {

struct L0 {
  double weight = 0;  // λ
  HardConcrete gates{};
  std::string parameters = "*log_alphas.*";

  static constexpr std::string_view name = "L0";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("weight", weight);
    visit("gates", gates);
    visit("parameters", parameters);
  }
  void validate(PenaltyParams) const {
    detail::require_penalty_weight("L0", "weight", weight);
    gates.validate("L0");
  }
  template <class S>
  double add(PenaltyParams of, const ParamBuffer<S>& theta, ParamBuffer<S>& gradient,
             std::span<const double>, Scratch&) const {
    double sum = 0;
    for (const ParamId id : of) {
      const auto a = theta.of(id);
      const auto to = gradient.of(id);
      for (std::size_t i = 0; i < a.size(); ++i) {
        const double p = gates.nonzero_probability(static_cast<double>(a[i]));
        sum += p;
        to[i] += static_cast<S>(weight * p * (1 - p));
      }
    }
    return weight * sum;
  }
};

}  // namespace plait
