// L0: what connections pay for being there, so that those which are of little use vanish.
//
//   Ω = λ Σ P(z ≠ 0),   P = σ(a - β ln(-γ / ζ)),   da = λ P (1 - P)
//
// over the logits a of hard-concrete gates (fusion/hard_concrete.hpp), SNR's for one. `gates` are
// to be those of the layer. Source: Louizos et al., ICLR 2018; Ma et al. (SNR), AAAI 2019.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <utility>

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
    return detail::add_by_number(weight, of, theta, gradient, [this](double a) {
      const double p = gates.nonzero_probability(a);
      return std::pair(p, p * (1 - p));
    });
  }
};

}  // namespace plait
