// L1 and L2: what parameters pay for their size.
//
//   L1   Ω = λ Σ |θ|,        dθ = λ sign(θ), 0 at 0
//   L2   Ω = (λ / 2) Σ θ²,   dθ = λ θ
//
// L2 is PyTorch's weight_decay of SGD and Adam with its value reported; what an optimizer's own
// decay adds is not a term of the loss in AdamW.
#pragma once
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "plait/core/fields.hpp"
#include "plait/penalties/penalty.hpp"

namespace plait {

struct L1 {
  double weight = 0;  // λ
  std::string parameters = "*";

  static constexpr std::string_view name = "L1";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("weight", weight);
    visit("parameters", parameters);
  }
  void validate(PenaltyParams) const { detail::require_penalty_weight("L1", "weight", weight); }
  template <class S>
  double add(PenaltyParams of, const ParamBuffer<S>& theta, ParamBuffer<S>& gradient,
             std::span<const double>, Scratch&) const {
    double sum = 0;
    const auto step = static_cast<S>(weight);
    for (const ParamId id : of) {
      const auto from = theta.of(id);
      const auto to = gradient.of(id);
      for (std::size_t i = 0; i < from.size(); ++i) {
        sum += std::abs(static_cast<double>(from[i]));
        to[i] += from[i] > 0 ? step : from[i] < 0 ? -step : S(0);
      }
    }
    return weight * sum;
  }
};

struct L2 {
  double weight = 0;  // λ
  std::string parameters = "*";

  static constexpr std::string_view name = "L2";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("weight", weight);
    visit("parameters", parameters);
  }
  void validate(PenaltyParams) const { detail::require_penalty_weight("L2", "weight", weight); }
  template <class S>
  double add(PenaltyParams of, const ParamBuffer<S>& theta, ParamBuffer<S>& gradient,
             std::span<const double>, Scratch&) const {
    double sum = 0;
    for (const ParamId id : of) {
      const auto from = theta.of(id);
      const auto to = gradient.of(id);
      for (std::size_t i = 0; i < from.size(); ++i) {
        sum += static_cast<double>(from[i]) * static_cast<double>(from[i]);
        to[i] += static_cast<S>(weight) * from[i];
      }
    }
    return weight / 2 * sum;
  }
};

}  // namespace plait
