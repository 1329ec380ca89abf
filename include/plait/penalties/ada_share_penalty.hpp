// AdaSharePenalty: what AdaShare's policies pay for blocks that they execute, and for not being
// alike. With p_{t,l} = σ(a_{t,l,0} - a_{t,l,1}), how likely task t executes block l = 1 ... L,
//
//   paper   λ_s Σ_{t,l} ln p_{t,l}             + λ_h Σ_{t<t'} Σ_l (L - l)/L |p_{t,l} - p_{t',l}|
//   code    λ_s Σ_{t,l} -(1/L) ln(1 - p_{t,l}) + λ_h Σ_{t<t'} Σ_l l/L |a_{t,l,0} - a_{t',l,0}|
//
// The authors' code presses blocks at the top to be shared, by their logits, where the paper
// presses those at the bottom.
// Source: Sun et al., NeurIPS 2020; sunxm2357/AdaShare envs/blockdrop_env.py.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/penalties/penalty.hpp"

namespace plait {

namespace detail {

// ln σ(a), without overflow for any a.
inline double log_sigmoid(double a) {
  return (std::min)(a, 0.0) - std::log1p(std::exp(-std::abs(a)));
}

// The logits of one task and block, and their gradient.
template <class Scalar>
struct SkipLogits {
  double a[2];
  Scalar* da;

  SkipLogits(const ParamBuffer<Scalar>& theta, ParamBuffer<Scalar>& gradient, ParamId policy,
             Index l)
      : da(gradient.of(policy).data() + 2 * l) {
    for (std::size_t k = 0; k < 2; ++k)
      a[k] = static_cast<double>(theta.of(policy)[2 * static_cast<std::size_t>(l) + k]);
  }
  double gap() const { return a[0] - a[1]; }
  void add_to_gap(double dgap) const {
    da[0] += static_cast<Scalar>(dgap);
    da[1] -= static_cast<Scalar>(dgap);
  }
};

}  // namespace detail

struct AdaSharePenalty {
  double sparsity = 0;   // λ_s
  double sharing = 0;    // λ_h
  bool as_code = false;  // the form of the authors' code, rather than of the paper
  std::string parameters = "*policies.*";

  static constexpr std::string_view name = "AdaSharePenalty";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("sparsity", sparsity);
    visit("sharing", sharing);
    visit("as_code", as_code);
    visit("parameters", parameters);
  }
  // Throws ConfigError for what are no policies of as many blocks.
  void validate(PenaltyParams of) const {
    detail::require_penalty_weight("AdaSharePenalty", "sparsity", sparsity);
    detail::require_penalty_weight("AdaSharePenalty", "sharing", sharing);
    for (const ParamId id : of)
      require_config(id.cols == 2 && id.rows == of.front().rows, "AdaSharePenalty", "parameters",
                     text(id.rows, " by ", id.cols),
                     text("policies of ", of.front().rows, " blocks, by 2"));
  }
  template <class S>
  double add(PenaltyParams of, const ParamBuffer<S>& theta, ParamBuffer<S>& gradient,
             std::span<const double>, Scratch&) const;
};

template <class Scalar>
double AdaSharePenalty::add(PenaltyParams policies, const ParamBuffer<Scalar>& theta,
                            ParamBuffer<Scalar>& gradient, std::span<const double>,
                            Scratch&) const {
  const Index blocks = policies.front().rows;
  const auto depth = static_cast<double>(blocks);
  double value = 0;
  for (Index l = 0; l < blocks; ++l) {
    const double place = as_code ? static_cast<double>(l + 1) : static_cast<double>(blocks - l - 1);
    for (std::size_t t = 0; t < policies.size(); ++t) {
      const detail::SkipLogits<Scalar> one(theta, gradient, policies[t], l);
      const double gap = one.gap();
      if (as_code) {
        value -= sparsity / depth * detail::log_sigmoid(-gap);
        one.add_to_gap(sparsity / depth * sigmoid(gap));
      } else {
        value += sparsity * detail::log_sigmoid(gap);
        one.add_to_gap(sparsity * sigmoid(-gap));
      }
      for (std::size_t s = 0; s < t; ++s) {
        const detail::SkipLogits<Scalar> other(theta, gradient, policies[s], l);
        const double difference =
            as_code ? one.a[0] - other.a[0] : sigmoid(gap) - sigmoid(other.gap());
        const double weight = sharing * place / depth;
        value += weight * std::abs(difference);
        if (difference == 0) continue;
        for (const auto& [logits, slope] : {std::pair(one, std::copysign(weight, difference)),
                                            std::pair(other, -std::copysign(weight, difference))}) {
          if (as_code)
            logits.da[0] += static_cast<Scalar>(slope);
          else
            logits.add_to_gap(slope * sigmoid(logits.gap()) * sigmoid(-logits.gap()));
        }
      }
    }
  }
  return value;
}

}  // namespace plait
