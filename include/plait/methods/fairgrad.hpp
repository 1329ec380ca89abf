// FairGrad: fair resource allocation between tasks (Ban and Ji, ICML 2024).
#pragma once
#include <span>
#include <string_view>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/fair_weights.hpp"

namespace plait {

// The direction in a ball that maximises the tasks' α-fair utility Σ_t ⟨g_t, d⟩^(1-α) / (1-α),
// which is d = Gᵀw with
//
//   M w = w^(-1/α)  (element-wise), w > 0
//
// α = 1 is proportional fairness, M w = 1/w as in Nash-MTL; α = 2 minimises the potential delay;
// for α to infinity the worst-off task decides. Solved to rounding by a damped Newton method, where
// the authors' code runs least squares. As in Nash-MTL, where the gradients combine to zero there
// is no solution and the weights are ones of sum 1 with d = 0; without any gradient, 0.
struct FairGrad {
  double alpha = 1;

  static constexpr std::string_view name = "FairGrad";
  static constexpr bool needs_gramian = true;

  void fields(FieldVisitor& visit) { visit("alpha", alpha); }

  // Throws ConfigError unless alpha is a number in [0.2, 10].
  void validate(Index) const {
    require_config(alpha >= 0.2 && alpha <= 10, "FairGrad", "alpha", text(alpha),
                   "a number in [0.2, 10]");
  }

  void weights(const BalancingInput& input, MethodState&, std::span<double> out,
               Scratch& scratch) const {
    detail::fair_weights(input.gramian, 1 / alpha, out, scratch);
  }
};

static_assert(BalancingMethod<FairGrad>);

}  // namespace plait
