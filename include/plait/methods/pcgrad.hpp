// PCGrad: projecting conflicting gradients (Yu et al., NeurIPS 2020, algorithm 1).
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

#include "plait/core/fields.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/memory.hpp"

namespace plait {

//   h_i = g_i; for j ≠ i in random order: if ⟨h_i, g_j⟩ < 0: h_i -= ⟨h_i, g_j⟩ / ‖g_j‖² g_j
//   d   = Σ_i h_i
//
// In coefficients: h_i = Gᵀc_i with c_i = e_i at first, ⟨h_i, g_j⟩ = (M c_i)_j, and α = Σ_i c_i.
// Without conflict, and for T = 1, d is the plain sum. Zero gradients are never projected on and
// keep α = 1; two opposite gradients both vanish.
struct PCGrad {
  // Also j = i, as in the loops of several libraries: after two projections h_i may conflict with
  // its own original gradient.
  bool include_self = false;

  static constexpr std::string_view name = "PCGrad";
  static constexpr bool needs_gramian = true;

  void fields(FieldVisitor& visit) { visit("include_self", include_self); }
  void validate(Index) const {}

  // c_i [T] for i = task, its projections taken in this order.
  static void project(const Eigen::MatrixXd& gramian, Index task, std::span<const Index> order,
                      std::span<double> c) {
    std::ranges::fill(c, 0.0);
    c[static_cast<std::size_t>(task)] = 1;
    for (const Index j : order) {
      double product = 0;
      for (Index k = 0; k < std::ssize(c); ++k)
        product += gramian(j, k) * c[static_cast<std::size_t>(k)];
      if (product < 0) c[static_cast<std::size_t>(j)] -= product / gramian(j, j);
    }
  }

  void weights(const BalancingInput& input, MethodState& state, std::span<double> out,
               Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const Eigen::MatrixXd& m = input.gramian;
    const std::span<double> c = detail::take_span<double>(scratch, input.tasks);
    const std::span<Index> others = detail::take_span<Index>(scratch, input.tasks);
    for (Index t = 0; t < input.tasks; ++t) out[static_cast<std::size_t>(t)] = m(t, t) == 0 ? 1 : 0;
    for (Index i = 0; i < input.tasks; ++i) {
      if (m(i, i) == 0) continue;
      std::size_t count = 0;
      for (Index j = 0; j < input.tasks; ++j)
        if ((include_self || j != i) && m(j, j) > 0) others[count++] = j;
      std::span<Index> order = others.first(count);
      state.random.shuffle(order);
      project(m, i, order, c);
      for (std::size_t t = 0; t < c.size(); ++t) out[t] += c[t];
    }
  }
};

static_assert(BalancingMethod<PCGrad>);

}  // namespace plait
