// Aligned-MTL: independent component alignment (Senushkin et al., CVPR 2023, algorithm 1).
#pragma once
#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <cmath>
#include <vector>

#include "plait/balance/balancer.hpp"
#include "plait/balance/unit_gramian.hpp"
#include "plait/core/per_task.hpp"

namespace plait {

// The common squared singular value that the gradients are given.
enum class AlignedScale { min, median, mean };  // of the eigenvalues of M that are not zero

// The gradients are replaced by their closest system with equal singular values, √s, and summed
// with the weights p:
//
//   α = √s V Λ^(-1/2) Vᵀ p,  M = V Λ Vᵀ
//
// Eigenvalues below 1e-12 of the largest are zero: their directions are left out (parallel
// gradients share one direction, opposite ones cancel). Without any gradient, α = 0. The median of
// an even number is the lower of the two in the middle, as in the authors' code.
struct AlignedMTL {
  AlignedScale scale = AlignedScale::min;
  // p [T], ones for a sum; empty: a mean, 1/T for each of T tasks with a gradient.
  std::vector<double> preferences = {};

  static constexpr bool needs_gramian = true;

  // Throws ConfigError for preferences that are not one finite number of at least 0 per task.
  void validate(Index tasks) const {
    detail::validate_per_task("AlignedMTL", "preferences", preferences, tasks);
  }

  Eigen::VectorXd weights(const BalancerInput& input, MethodState&) const {
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(input.gramian);
    const Eigen::VectorXd& values = eigen.eigenvalues();  // ascending
    const double largest = values[input.tasks - 1];
    if (!(largest > 0)) return Eigen::VectorXd::Zero(input.tasks);
    Index rank = 0;
    while (rank < input.tasks && values[input.tasks - 1 - rank] > detail::rank_tolerance * largest)
      ++rank;
    const Eigen::VectorXd kept = values.tail(rank);
    const Eigen::MatrixXd vectors = eigen.eigenvectors().rightCols(rank);
    const auto present = static_cast<double>((input.gramian.diagonal().array() > 0).count());
    Eigen::VectorXd p(input.tasks);
    for (Index t = 0; t < input.tasks; ++t) p[t] = detail::per_task(preferences, t, 1 / present);
    return std::sqrt(common(kept)) *
           (vectors * (vectors.transpose() * p).cwiseQuotient(kept.cwiseSqrt()));
  }

 private:
  double common(const Eigen::VectorXd& ascending) const {
    switch (scale) {
      case AlignedScale::median:
        return ascending[(ascending.size() - 1) / 2];
      case AlignedScale::mean:
        return ascending.mean();
      case AlignedScale::min:
        break;
    }
    return ascending[0];
  }
};

static_assert(Balancer<AlignedMTL>);

}  // namespace plait
