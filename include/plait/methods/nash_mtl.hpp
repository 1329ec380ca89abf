// Nash-MTL: the tasks bargain over the direction (Navon et al., ICML 2022).
#pragma once
#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string_view>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/factor.hpp"
#include "plait/methods/fair_weights.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/numbers.hpp"

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
  // Largest ‖d‖; 1 gives the result of the authors' code, whose solver divides M by ‖M‖_F and
  // undoes it.
  std::optional<double> max_norm = {};

  static constexpr std::string_view name = "NashMTL";
  static constexpr bool needs_gramian = true;

  void fields(FieldVisitor& visit) { visit("max_norm", max_norm); }

  // Throws ConfigError unless max_norm is a finite number above 0 that float can hold.
  void validate(Index) const {
    require_config(!max_norm || (std::isfinite(*max_norm) && *max_norm > 0), "NashMTL", "max_norm",
                   text(max_norm.value_or(0)), "a finite number above 0");
    if (max_norm) detail::validate_factor("NashMTL", "max_norm", *max_norm);
  }

  void weights(const BalancingInput& input, MethodState&, std::span<double> out,
               Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    detail::fair_weights(input.gramian, 1, out, scratch);
    if (!max_norm) return;
    const detail::Square m = detail::take_copy(input.gramian, scratch);
    detail::Numbers alpha = detail::take_numbers(scratch, input.tasks);
    std::ranges::copy(out, alpha.begin());
    const double norm = std::sqrt((std::max)(0.0, detail::quadratic(m, alpha, scratch)));
    if (norm > *max_norm)
      for (double& weight : out) weight *= *max_norm / norm;
  }
};

static_assert(BalancingMethod<NashMTL>);

}  // namespace plait
