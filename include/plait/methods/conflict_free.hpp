// ConFIG: conflict-free inverse gradients (Liu, Chu and Thuerey, ConFIG: Towards conflict-free
// training of physics informed neural networks, ICLR 2025, eqs. 2 to 4).
#pragma once
#include <algorithm>
#include <span>
#include <string_view>

#include "plait/methods/balancing_method.hpp"
#include "plait/methods/equal_projections.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/unit_gramian.hpp"

namespace plait {

// Along the vector on which every unit gradient u_t = g_t / ‖g_t‖ has the same projection, which is
// positive, and as far as all gradients go that way:
//
//   v = U⁺ 1,  U having u_t as rows,   d = (Σ_t ⟨g_t, v⟩ / ‖v‖) v / ‖v‖
//
// v = Uᵀ c with C c = 1, C the cosines, so that α_t = c_t Σ_s ‖g_s‖ (C c)_s / (cᵀC c) / ‖g_t‖.
// IMTL-G goes the same way, with another length. Where gradients are dependent projections are as
// equal as they can be, in least squares; two opposite ones, and no gradient at all, give α = 0.
struct ConFIG {
  static constexpr std::string_view name = "ConFIG";
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
    const double squared = detail::dot(alpha, projections);  // ‖v‖²
    const double length = squared > 0 ? detail::dot(unit.norms, projections) / squared : 0;
    for (Index t = 0; t < n; ++t) alpha[t] *= length / unit.norms[t];
    unit.spread(alpha, out);
  }
};

static_assert(BalancingMethod<ConFIG>);

}  // namespace plait
