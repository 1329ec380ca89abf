// IMTL-G: impartial gradients (Liu et al., ICLR 2021).
#pragma once
#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

#include "plait/methods/balancing_method.hpp"
#include "plait/methods/equal_projections.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/unit_gramian.hpp"

namespace plait {

// d has the same projection on every unit gradient u_t = g_t / ‖g_t‖:
//
//   α ∝ M⁻¹ n,  n_t = ‖g_t‖,  Σ_t α_t = 1
//
// α_t may be negative. Solved between unit gradients, with the pseudo-inverse where they are
// dependent: the projections are then as equal as they can be, in least squares, and α is a least
// one (two opposite gradients: α = 0). α = 0, too, where the weights would sum to zero, so that no
// multiple has sum 1, and without any gradient.
struct IMTLG {
  static constexpr std::string_view name = "IMTLG";
  static constexpr bool needs_gramian = true;
  void validate(Index) const {}

  void weights(const BalancingInput& input, MethodState&, std::span<double> out,
               Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    detail::UnitGramian unit(input.gramian, scratch);
    const Index n = unit.size();
    if (n == 0) return std::fill(out.begin(), out.end(), 0.0);
    detail::Numbers projections = detail::take_numbers(scratch, n);
    detail::Numbers alpha = detail::equal_projections(unit, projections, scratch);
    detail::Numbers sizes = detail::take_numbers(scratch, n);
    for (Index t = 0; t < n; ++t) {
      alpha[t] /= unit.norms[t];
      sizes[t] = std::abs(alpha[t]);
    }
    const double sum = detail::sum(alpha);
    const bool cancels = std::abs(sum) <= 1e-12 * detail::sum(sizes);
    for (Index t = 0; t < n; ++t) alpha[t] = cancels ? 0 : alpha[t] / sum;
    unit.spread(alpha, out);
  }
};

static_assert(BalancingMethod<IMTLG>);

}  // namespace plait
