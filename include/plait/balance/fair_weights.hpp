// The positive solution of M α = α^(-e), element-wise: the condition that Nash-MTL (e = 1) and
// FairGrad (e > 0) set.
#pragma once
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>

#include "plait/balance/nonnegative_qp.hpp"
#include "plait/balance/unit_gramian.hpp"
#include "plait/core/config.hpp"

namespace plait::detail {

// γ > 0 [n] with C γ = k γ^(-e), given log k, from a start γ > 0. It is the minimiser of
//
//   ½ γᵀCγ - Σ_t k_t (γ_t^(1-e) - 1) / (1 - e)         (the sum of k_t log γ_t for e = 1)
//
// which is strictly convex and has a minimum unless the unit gradients combine to zero. Newton's
// steps, taken on log γ so that γ may move by orders of magnitude and stays positive, are shortened
// while the objective can tell.
inline Eigen::VectorXd solve_fair(const Eigen::MatrixXd& cosines, const Eigen::ArrayXd& log_k,
                                  double e, Eigen::VectorXd gamma) {
  const auto objective = [&](const Eigen::VectorXd& g) {
    const Eigen::ArrayXd logs = g.array().log();
    double gain = 0;
    for (Index t = 0; t < g.size(); ++t)
      gain += std::exp(log_k[t]) * (e == 1 ? logs[t] : std::expm1((1 - e) * logs[t]) / (1 - e));
    return 0.5 * g.dot(cosines * g) - gain;
  };
  double last_change = std::numeric_limits<double>::infinity();
  for (int round = 0; round < 200; ++round) {
    const Eigen::ArrayXd force = (log_k - e * gamma.array().log()).exp();
    const Eigen::VectorXd gradient = cosines * gamma - force.matrix();
    Eigen::MatrixXd hessian = cosines;
    hessian.diagonal().array() += e * force / gamma.array();
    const Eigen::ArrayXd step =
        (-hessian.llt().solve(gradient).array() / gamma.array()).max(-50).min(5);

    const double slope = gradient.dot((gamma.array() * step).matrix());
    const double before = objective(gamma);
    const bool can_tell = -slope > 1e-9 * (std::abs(before) + force.matrix().dot(gamma));
    const auto moved = [&](double length) {
      return Eigen::VectorXd(gamma.array() * (length * step).exp());
    };
    double length = 1;
    while (can_tell && length > 1e-9 &&
           !(objective(moved(length)) <= before + 1e-4 * length * slope))
      length /= 2;
    gamma = moved(length);

    // Quadratic convergence ends in rounding: the steps no longer halve.
    const double change = step.abs().maxCoeff();
    if (!(change >= 1e-15) || (change <= 1e-3 && change > 0.5 * last_change)) break;
    last_change = change;
  }
  return gamma;
}

// α [T] with (M α)_t = α_t^(-e) > 0 for the tasks with a gradient, 0 for the others. Where the
// gradients combine to zero there is no such α: then those weights with sum 1 that combine them to
// zero.
//
// Between unit gradients, β = norms α satisfies C β = norms^(e-1) β^(-e), which is solved for e = 1
// first and from there on for an e that doubles or halves: far from 1, tasks of little weight move
// too slowly. Should numbers leave the range of double on the way (lengths over dozens of orders of
// magnitude), the last e before counts.
inline Eigen::VectorXd fair_weights(const Eigen::MatrixXd& gramian, double e) {
  const UnitGramian unit(gramian);
  if (unit.size() == 0) return Eigen::VectorXd::Zero(gramian.rows());
  const Eigen::VectorXd hull = least_norm_weights(unit.cosines);
  if (combines_to_zero(unit.cosines, hull)) {
    const Eigen::VectorXd weights = hull.cwiseQuotient(unit.norms);
    return unit.spread(weights / weights.sum());
  }
  Eigen::VectorXd beta = hull.array() + 1.0 / static_cast<double>(unit.size());
  for (double stage = 1;; stage = e > stage ? std::min(e, 2 * stage) : std::max(e, stage / 2)) {
    const Eigen::ArrayXd log_k = (stage - 1) * unit.norms.array().log();
    const double scale = std::exp(log_k.mean() / (1 + stage));  // makes the equation one of order 1
    const Eigen::VectorXd next =
        scale * solve_fair(unit.cosines, log_k - log_k.mean(), stage, beta / scale);
    if (!next.allFinite() || next.minCoeff() <= 0) break;
    beta = next;
    if (stage == e) break;
  }
  return unit.spread(beta.cwiseQuotient(unit.norms));
}

}  // namespace plait::detail
