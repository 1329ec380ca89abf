// PCGrad: projecting conflicting gradients (Yu et al., NeurIPS 2020, algorithm 1).
#pragma once
#include <Eigen/Core>
#include <span>
#include <vector>

#include "plait/balance/balancer.hpp"

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

  static constexpr bool needs_gramian = true;
  void validate(Index) const {}

  // c_i [T] for i = task, its projections taken in this order.
  static Eigen::VectorXd project(const Eigen::MatrixXd& gramian, Index task,
                                 std::span<const Index> order) {
    Eigen::VectorXd c = Eigen::VectorXd::Unit(gramian.rows(), task);
    for (const Index j : order) {
      const double product = gramian.row(j).dot(c);
      if (product < 0) c[j] -= product / gramian(j, j);
    }
    return c;
  }

  Eigen::VectorXd weights(const BalancerInput& input, MethodState& state) const {
    Eigen::VectorXd alpha = (input.gramian.diagonal().array() == 0).cast<double>();
    std::vector<Index> order;
    for (Index i = 0; i < input.tasks; ++i) {
      if (input.gramian(i, i) == 0) continue;
      order.clear();
      for (Index j = 0; j < input.tasks; ++j)
        if ((include_self || j != i) && input.gramian(j, j) > 0) order.push_back(j);
      state.random.shuffle(order);
      alpha += project(input.gramian, i, order);
    }
    return alpha;
  }
};

static_assert(Balancer<PCGrad>);

}  // namespace plait
