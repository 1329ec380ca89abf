// L1 and L2: what parameters pay for their size.
//
//   L1   Ω = λ Σ |θ|,        dθ = λ sign(θ), 0 at 0
//   L2   Ω = (λ / 2) Σ θ²,   dθ = λ θ
//
// L2 is PyTorch's weight_decay of SGD and Adam with its value reported; what an optimizer's own
// decay adds is not a term of the loss in AdamW.
#pragma once
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <utility>

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
    return detail::add_by_number(weight, of, theta, gradient, [](double x) {
      return std::pair(std::abs(x), x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0);
    });
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
    return detail::add_by_number(weight, of, theta, gradient,
                                 [](double x) { return std::pair(x * x / 2, x); });
  }
};

}  // namespace plait
