// Nash-MTL: the tasks bargain over the direction (Navon et al., ICML 2022).
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <optional>

#include "plait/balance/balancer.hpp"
#include "plait/balance/fair_weights.hpp"
#include "plait/core/error.hpp"

namespace plait {

// The direction in a ball that maximises Σ_t log ⟨g_t, d⟩, which is d = Gᵀα with
//
//   M α = 1/α  (element-wise), α > 0
//
// so that ‖d‖ = √T whatever the gradients' lengths. For T = 2, α_t = 1 / (‖g_t‖ √(1 + cos θ)).
// Solved to rounding by a damped Newton method. Where the gradients combine to zero no direction
// helps all and there is no solution; α are then weights of sum 1 with d = 0. Near such points α is
// large, and d is not small. Without any gradient, α = 0.
struct NashMTL {
  // The authors' code solves with M / ‖M‖_F and does not undo it: α is √‖M‖_F times larger.
  bool scale_by_gramian = false;
  // Largest ‖d‖; the authors use 1. Applied after the scale.
  std::optional<double> max_norm = {};

  static constexpr bool needs_gramian = true;

  // Throws ConfigError unless max_norm is a finite number above 0.
  void validate(Index) const {
    require_config(!max_norm || (std::isfinite(*max_norm) && *max_norm > 0), "NashMTL", "max_norm",
                   text(max_norm.value_or(0)), "a finite number above 0");
  }

  Eigen::VectorXd weights(const BalancerInput& input, MethodState&) const {
    Eigen::VectorXd alpha = detail::fair_weights(input.gramian, 1);
    if (scale_by_gramian) alpha *= std::sqrt(input.gramian.norm());
    if (max_norm) {
      const double norm = std::sqrt(std::max(0.0, alpha.dot(input.gramian * alpha)));
      if (norm > *max_norm) alpha *= *max_norm / norm;
    }
    return alpha;
  }
};

static_assert(Balancer<NashMTL>);

}  // namespace plait
