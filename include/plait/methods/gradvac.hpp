// Gradient Vaccine (Wang et al., ICLR 2021, eqs. 2 and 3, algorithm 1).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/unit_gramian.hpp"

namespace plait {

// Like PCGrad, but for a target cosine φ̂_ij that follows the cosines seen instead of 0:
//
//   h_i = g_i; for j ≠ i in random order:
//     φ = cos(h_i, g_j)
//     if φ < φ̂_ij: h_i += ‖h_i‖ (φ̂_ij √(1 - φ²) - φ √(1 - φ̂_ij²)) / (‖g_j‖ √(1 - φ̂_ij²)) g_j,
//                  after which cos(h_i, g_j) = φ̂_ij
//     φ̂_ij = (1 - beta) φ̂_ij + beta φ
//   d = Σ_i h_i
//
// φ̂ starts at 0, so that beta = 0 is PCGrad. state.numbers are φ̂ [T, T], row by row. All shared
// parameters are one group. (LibMTL moves φ̂ only where φ < φ̂.) Pairs with a zero gradient, or whose
// h_i has vanished against an opposite one, are passed over; a zero gradient keeps its own
// weight 1.
struct GradVac {
  double beta = 1e-2;

  static constexpr std::string_view name = "GradVac";
  static constexpr bool needs_gramian = true;

  void fields(FieldVisitor& visit) { visit("beta", beta); }

  // Throws ConfigError unless beta is in [0, 1).
  void validate(Index) const {
    require_config(beta >= 0 && beta < 1, "GradVac", "beta", text(beta), "a number in [0, 1)");
  }
  std::vector<double> initial_numbers(Index tasks) const {
    return std::vector<double>(static_cast<std::size_t>(tasks * tasks), 0.0);
  }

  void weights(const BalancingInput& input, MethodState& state, std::span<double> out,
               Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const Index tasks = input.tasks;
    const detail::Square m = detail::take_copy(input.gramian, scratch);
    detail::Numbers c = detail::take_numbers(scratch, tasks);
    detail::Numbers norms = detail::take_numbers(scratch, tasks);
    for (Index t = 0; t < tasks; ++t) norms[t] = std::sqrt(m(t, t));
    const std::span<Index> others = detail::take_span<Index>(scratch, tasks);
    for (Index t = 0; t < tasks; ++t) out[static_cast<std::size_t>(t)] = m(t, t) == 0 ? 1 : 0;
    for (Index i = 0; i < tasks; ++i) {
      if (m(i, i) == 0) continue;
      std::size_t count = 0;
      for (Index j = 0; j < tasks; ++j)
        if (j != i && m(j, j) > 0) others[count++] = j;
      std::span<Index> order = others.first(count);
      state.random.shuffle(order);
      detail::fill(c, 0);
      c[i] = 1;
      for (const Index j : order) {
        const double squared = detail::quadratic(m, c, scratch);
        double longest = 0;  // what the lengths would add up to
        for (Index k = 0; k < tasks; ++k) longest += std::abs(c[k]) * norms[k];
        if (squared <= detail::rank_tolerance(tasks) * longest * longest) break;
        const double norm = std::sqrt(squared);
        const double other = norms[j];
        double product = 0;
        for (Index k = 0; k < tasks; ++k) product += m(j, k) * c[k];
        const double cosine = std::clamp(product / norm / other, -1.0, 1.0);
        double& target = state.numbers[static_cast<std::size_t>(i * tasks + j)];
        // No multiple of g_j turns h_i all the way to cosine 1.
        const double reached = (std::min)(target, largest_target);
        if (cosine < reached) {
          const double sine = std::sqrt(1 - cosine * cosine);
          const double target_sine = std::sqrt(1 - reached * reached);
          c[j] += norm * (reached * sine - cosine * target_sine) / (other * target_sine);
        }
        target = (1 - beta) * target + beta * cosine;
      }
      for (Index t = 0; t < tasks; ++t) out[static_cast<std::size_t>(t)] += c[t];
    }
  }

 private:
  static constexpr double largest_target = 1 - 1e-6;
};

static_assert(BalancingMethod<GradVac>);

}  // namespace plait
