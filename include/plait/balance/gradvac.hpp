// Gradient Vaccine (Wang et al., ICLR 2021, eqs. 2 and 3, algorithm 1).
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <vector>

#include "plait/balance/balancer.hpp"
#include "plait/core/error.hpp"

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

  static constexpr bool needs_gramian = true;

  // Throws ConfigError unless beta is in [0, 1).
  void validate(Index) const {
    require_config(beta >= 0 && beta < 1, "GradVac", "beta", text(beta), "a number in [0, 1)");
  }
  Index state_size(Index tasks) const { return tasks * tasks; }

  Eigen::VectorXd weights(const BalancerInput& input, MethodState& state) const {
    const Index tasks = input.tasks;
    const Eigen::MatrixXd& m = input.gramian;
    Eigen::VectorXd alpha = (m.diagonal().array() == 0).cast<double>();
    std::vector<Index> order;
    for (Index i = 0; i < tasks; ++i) {
      if (m(i, i) == 0) continue;
      order.clear();
      for (Index j = 0; j < tasks; ++j)
        if (j != i && m(j, j) > 0) order.push_back(j);
      state.random.shuffle(order);
      Eigen::VectorXd c = Eigen::VectorXd::Unit(tasks, i);
      for (const Index j : order) {
        const double squared = c.dot(m * c);
        if (squared <= vanished * m(i, i)) break;
        const double norm = std::sqrt(squared);
        const double other = std::sqrt(m(j, j));
        const double cosine = std::clamp(m.row(j).dot(c) / norm / other, -1.0, 1.0);
        double& target = state.numbers[static_cast<std::size_t>(i * tasks + j)];
        // No multiple of g_j turns h_i all the way to cosine 1.
        const double reached = std::min(target, largest_target);
        if (cosine < reached) {
          const double sine = std::sqrt(1 - cosine * cosine);
          const double target_sine = std::sqrt(1 - reached * reached);
          c[j] += norm * (reached * sine - cosine * target_sine) / (other * target_sine);
        }
        target = (1 - beta) * target + beta * cosine;
      }
      alpha += c;
    }
    return alpha;
  }

 private:
  static constexpr double vanished = 1e-24;  // of a squared norm: what rounding leaves
  static constexpr double largest_target = 1 - 1e-6;
};

static_assert(Balancer<GradVac>);

}  // namespace plait
