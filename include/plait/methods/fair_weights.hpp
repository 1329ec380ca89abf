// The positive solution of M α = α^(-e), element-wise: the condition that Nash-MTL (e = 1) and
// FairGrad (e > 0) set.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/nonnegative_qp.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/solve_positive.hpp"
#include "plait/methods/unit_gramian.hpp"

namespace plait::detail {

// γ > 0 [n] with C γ = k γ^(-e), given log k; gamma is a start γ > 0, and becomes γ. It is the
// minimiser of
//
//   ½ γᵀCγ - Σ_t k_t (γ_t^(1-e) - 1) / (1 - e)         (the sum of k_t log γ_t for e = 1)
//
// which is strictly convex and has a minimum unless the unit gradients combine to zero. Newton's
// steps, taken on log γ so that γ may move by orders of magnitude and stays positive, are shortened
// while the objective can tell.
inline void solve_fair(const Square& cosines, const Numbers& log_k, double e, Numbers& gamma,
                       Scratch& scratch) {
  const Scratch::Frame frame(scratch);
  const Index n = gamma.size();
  Numbers logs = take_numbers(scratch, n);
  Numbers force = take_numbers(scratch, n);
  Numbers gradient = take_numbers(scratch, n);
  Numbers step = take_numbers(scratch, n);
  Numbers work = take_numbers(scratch, n);
  Square hessian = take_square(scratch, n);
  const auto objective = [&](const Numbers& g) {
    copy(g, logs);
    log_all(logs);
    double gain = 0;
    for (Index t = 0; t < n; ++t)
      gain += std::exp(log_k[t]) * (e == 1 ? logs[t] : std::expm1((1 - e) * logs[t]) / (1 - e));
    return 0.5 * quadratic(cosines, g, scratch) - gain;
  };
  double last_change = std::numeric_limits<double>::infinity();
  for (int round = 0; round < 200; ++round) {
    copy(gamma, force);
    log_all(force);
    for (Index t = 0; t < n; ++t) force[t] = log_k[t] - e * force[t];
    exp_all(force);
    multiply(cosines, gamma, gradient);
    for (Index t = 0; t < n; ++t) gradient[t] -= force[t];
    std::copy_n(cosines.data(), n * n, hessian.data());
    for (Index t = 0; t < n; ++t) hessian(t, t) += e * force[t] / gamma[t];
    copy(gradient, step);
    solve_positive(hessian, step);
    for (Index t = 0; t < n; ++t) step[t] = (std::min)((std::max)(-step[t] / gamma[t], -50.0), 5.0);

    for (Index t = 0; t < n; ++t) work[t] = gamma[t] * step[t];
    const double slope = dot(gradient, work);
    const double before = objective(gamma);
    const bool can_tell = -slope > 1e-9 * (std::abs(before) + dot(force, gamma));
    const auto move = [&](double length) {  // to where γ would be, in work
      for (Index t = 0; t < n; ++t) work[t] = length * step[t];
      exp_all(work);
      for (Index t = 0; t < n; ++t) work[t] = gamma[t] * work[t];
    };
    double length = 1;
    move(length);
    while (can_tell && length > 1e-9 && !(objective(work) <= before + 1e-4 * length * slope)) {
      length /= 2;
      move(length);
    }
    copy(work, gamma);

    // Quadratic convergence ends in rounding: the steps no longer halve.
    double change = 0;
    for (Index t = 0; t < n; ++t) change = (std::max)(change, std::abs(step[t]));
    if (!(change >= 1e-15) || (change <= 1e-3 && change > 0.5 * last_change)) break;
    last_change = change;
  }
}

// α [T] with (M α)_t = α_t^(-e) > 0 for the tasks with a gradient, 0 for the others. Where the
// gradients combine to zero there is no such α: then those weights with sum 1 that combine them to
// zero.
//
// Between unit gradients, β = norms α satisfies C β = norms^(e-1) β^(-e), which is solved for e = 1
// first and from there on for an e that doubles or halves: far from 1, tasks of little weight move
// too slowly. Should numbers leave the range of double on the way (lengths over dozens of orders of
// magnitude), the last e before counts.
inline void fair_weights(const Eigen::MatrixXd& gramian, double e, std::span<double> out,
                         Scratch& scratch) {
  const Scratch::Frame frame(scratch);
  const UnitGramian unit(gramian, scratch);
  const Index n = unit.size();
  if (n == 0) return std::fill(out.begin(), out.end(), 0.0);
  Numbers beta = take_numbers(scratch, n);
  least_norm_weights(unit.cosines, beta, scratch);
  if (combines_to_zero(unit.cosines, beta, scratch)) {
    for (Index t = 0; t < n; ++t) beta[t] /= unit.norms[t];
    const double total = sum(beta);
    for (Index t = 0; t < n; ++t) beta[t] /= total;
    return unit.spread(beta, out);
  }
  for (Index t = 0; t < n; ++t) beta[t] += 1.0 / static_cast<double>(n);
  Numbers log_norms = take_numbers(scratch, n);
  copy(unit.norms, log_norms);
  log_all(log_norms);
  Numbers log_k = take_numbers(scratch, n);
  Numbers next = take_numbers(scratch, n);
  for (double stage = 1;; stage = e > stage ? (std::min)(e, 2 * stage) : (std::max)(e, stage / 2)) {
    for (Index t = 0; t < n; ++t) log_k[t] = (stage - 1) * log_norms[t];
    const double mean = sum(log_k) / static_cast<double>(n);
    const double scale = std::exp(mean / (1 + stage));  // makes the equation one of order 1
    for (Index t = 0; t < n; ++t) log_k[t] -= mean;
    for (Index t = 0; t < n; ++t) next[t] = beta[t] / scale;
    solve_fair(unit.cosines, log_k, stage, next, scratch);
    bool usable = true;
    for (Index t = 0; t < n; ++t) {
      next[t] = scale * next[t];
      usable = usable && std::isfinite(next[t]) && next[t] > 0;
    }
    if (!usable) break;
    copy(next, beta);
    if (stage == e) break;
  }
  for (Index t = 0; t < n; ++t) beta[t] /= unit.norms[t];
  unit.spread(beta, out);
}

}  // namespace plait::detail
