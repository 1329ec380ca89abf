// Convex quadratic programs over the nonnegative orthant, and the point of least norm in a convex
// hull: what MGDA, CAGrad, UPGrad, Nash-MTL and FairGrad are solved with.
#pragma once
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <cmath>
#include <limits>
#include <vector>

#include "plait/balance/unit_gramian.hpp"
#include "plait/core/config.hpp"

namespace plait::detail {

// argmin_{z >= 0} ½ zᵀMz + qᵀz for a Gramian M [n, n] and q [n] that is at least 0 where M_jj is 0.
//
// An active-set method, exact up to rounding for any n: coordinates enter the support one at a time
// where the slope is steepest; the minimum over the support is approached until a coordinate
// reaches 0 and leaves. It visits about n supports, where enumerating them would visit 2^n. M may
// be singular: it is taken at unit diagonal, with a ridge of the size of its own rounding, which
// makes the problem strictly convex. Without a minimum (a z >= 0 with Mz = 0 and qᵀz < 0) z is
// finite and very large along such a direction.
inline Eigen::VectorXd solve_nonnegative_qp(const Eigen::MatrixXd& m, const Eigen::VectorXd& q) {
  const Index n = q.size();
  const double epsilon = std::numeric_limits<double>::epsilon();
  const Eigen::VectorXd inverse_norms =
      (m.diagonal().array() > 0).select(m.diagonal().array().max(0).sqrt().inverse(), 0.0);
  Eigen::MatrixXd unit = inverse_norms.asDiagonal() * m * inverse_norms.asDiagonal();
  unit.diagonal().setConstant(1 + 16 * epsilon * static_cast<double>(n));
  const Eigen::VectorXd linear = inverse_norms.cwiseProduct(q);

  Eigen::VectorXd z = Eigen::VectorXd::Zero(n);
  std::vector<Index> support;
  std::vector<bool> inside(static_cast<std::size_t>(n), false);
  for (Index round = 0; round < 20 * n; ++round) {
    Eigen::VectorXd slope = unit * z + linear;
    double steepest = -64 * epsilon * (z.sum() + linear.lpNorm<Eigen::Infinity>());
    Index entering = -1;
    for (Index j = 0; j < n; ++j)
      if (!inside[static_cast<std::size_t>(j)] && slope[j] < steepest) {
        steepest = slope[j];
        entering = j;
      }
    if (entering < 0) break;
    inside[static_cast<std::size_t>(entering)] = true;
    support.push_back(entering);

    while (!support.empty()) {
      const Eigen::MatrixXd block = unit(support, support);
      const Eigen::VectorXd step = block.llt().solve(-slope(support));
      double length = 1;
      std::size_t leaving = support.size();
      for (std::size_t k = 0; k < support.size(); ++k) {
        const double down = -step[static_cast<Index>(k)];
        if (down > 0 && z[support[k]] < length * down) {
          length = z[support[k]] / down;
          leaving = k;
        }
      }
      z(support) += length * step;
      if (leaving == support.size()) break;
      z[support[leaving]] = 0;
      inside[static_cast<std::size_t>(support[leaving])] = false;
      support.erase(support.begin() + static_cast<std::ptrdiff_t>(leaving));
      slope = unit * z + linear;
    }
  }
  return inverse_norms.cwiseProduct(z);
}

// argmin_{α >= 0, Σα = 1} αᵀMα for a Gramian of n >= 1 vectors, none of them zero: the weights of
// the point of least norm in their convex hull. Where dependent vectors leave a choice, one of the
// minimisers.
//
// Adding a constant to all of M does not move the minimiser, and makes it a multiple of that of
// ½ zᵀMz - Σz over z >= 0. The constant lies between the squared norms, so that neither they nor
// the constant drown in the other's rounding.
inline Eigen::VectorXd least_norm_weights(const Eigen::MatrixXd& m) {
  const double lift = std::sqrt(m.diagonal().minCoeff()) * std::sqrt(m.diagonal().maxCoeff());
  const Eigen::VectorXd z =
      solve_nonnegative_qp(m.array() + lift, -Eigen::VectorXd::Ones(m.rows()));
  return z / z.sum();
}

// True when the weights combine the vectors to zero, up to rounding.
inline bool combines_to_zero(const Eigen::MatrixXd& m, const Eigen::VectorXd& weights) {
  const double scale = weights.dot(m.cwiseAbs() * weights);
  return weights.dot(m * weights) <= rank_tolerance * scale;
}

}  // namespace plait::detail
