// Convex quadratic programs over the nonnegative orthant, and the point of least norm in a convex
// hull: what MGDA, CAGrad, UPGrad, Nash-MTL and FairGrad are solved with.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "plait/core/config.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/solve_positive.hpp"
#include "plait/methods/unit_gramian.hpp"

namespace plait::detail {

// z [n] = argmin_{z >= 0} ½ zᵀMz + qᵀz for a Gramian M [n, n] and q [n] that is at least 0 where
// M_jj is 0.
//
// An active-set method, exact up to rounding for any n: coordinates enter the support one at a time
// where the slope is steepest; the minimum over the support is approached until a coordinate
// reaches 0 and leaves. It visits about n supports, where enumerating them would visit 2^n. M may
// be singular: it is taken at unit diagonal, with a ridge of the size of its own rounding, which
// makes the problem strictly convex. Without a minimum (a z >= 0 with Mz = 0 and qᵀz < 0) z is
// finite and very large along such a direction.
inline void solve_nonnegative_qp(const Square& m, const Numbers& q, Numbers& z, Scratch& scratch) {
  const Scratch::Frame frame(scratch);
  const Index n = q.size();
  const double epsilon = std::numeric_limits<double>::epsilon();
  Numbers inverse_norms = take_numbers(scratch, n);
  for (Index j = 0; j < n; ++j) inverse_norms[j] = m(j, j) > 0 ? 1 / std::sqrt(m(j, j)) : 0;
  Square unit = take_square(scratch, n);
  scale_both_sides(m, inverse_norms, unit);
  for (Index j = 0; j < n; ++j) unit(j, j) = 1 + 16 * epsilon * static_cast<double>(n);
  Numbers linear = take_numbers(scratch, n);
  double largest_linear = 0;
  for (Index j = 0; j < n; ++j) {
    linear[j] = inverse_norms[j] * q[j];
    largest_linear = (std::max)(largest_linear, std::abs(linear[j]));
  }

  Numbers slope = take_numbers(scratch, n);
  const auto find_slope = [&] {
    multiply(unit, z, slope);
    for (Index j = 0; j < n; ++j) slope[j] += linear[j];
  };
  const std::span<Index> places = take_span<Index>(scratch, n);
  const std::span<bool> inside = take_span<bool>(scratch, n);
  double* const block_memory = take_square(scratch, n).data();
  double* const step_memory = take_numbers(scratch, n).data();
  std::ranges::fill(inside, false);
  std::size_t count = 0;  // of the places that are the support
  fill(z, 0);
  for (Index round = 0; round < 20 * n; ++round) {
    find_slope();
    double steepest = -64 * epsilon * (sum(z) + largest_linear);
    Index entering = -1;
    for (Index j = 0; j < n; ++j)
      if (!inside[static_cast<std::size_t>(j)] && slope[j] < steepest) {
        steepest = slope[j];
        entering = j;
      }
    if (entering < 0) break;
    inside[static_cast<std::size_t>(entering)] = true;
    places[count++] = entering;

    while (count > 0) {
      const std::span<const Index> support = places.first(count);
      const auto size = static_cast<Index>(count);
      Square block(block_memory, size, size);
      Numbers step(step_memory, size);
      for (std::size_t k = 0; k < count; ++k) {
        step[static_cast<Index>(k)] = -slope[support[k]];
        for (std::size_t i = 0; i < count; ++i)
          block(static_cast<Index>(i), static_cast<Index>(k)) = unit(support[i], support[k]);
      }
      solve_positive(block, step);
      double length = 1;
      std::size_t leaving = count;
      for (std::size_t k = 0; k < count; ++k) {
        const double down = -step[static_cast<Index>(k)];
        if (down > 0 && z[support[k]] < length * down) {
          length = z[support[k]] / down;
          leaving = k;
        }
      }
      for (std::size_t k = 0; k < count; ++k) z[support[k]] += length * step[static_cast<Index>(k)];
      if (leaving == count) break;
      z[support[leaving]] = 0;
      inside[static_cast<std::size_t>(support[leaving])] = false;
      std::ranges::copy(support.subspan(leaving + 1), places.begin() + std::ptrdiff_t(leaving));
      --count;
      find_slope();
    }
  }
  for (Index j = 0; j < n; ++j) z[j] = inverse_norms[j] * z[j];
}

// α [n] = argmin_{α >= 0, Σα = 1} αᵀMα for a Gramian of n >= 1 vectors, none of them zero: the
// weights of the point of least norm in their convex hull. Where dependent vectors leave a choice,
// one of the minimisers.
//
// Adding a constant to all of M does not move the minimiser, and makes it a multiple of that of
// ½ zᵀMz - Σz over z >= 0. The constant lies between the squared norms, so that neither they nor
// the constant drown in the other's rounding.
inline void least_norm_weights(const Square& m, Numbers& alpha, Scratch& scratch) {
  const Scratch::Frame frame(scratch);
  const Index n = m.rows();
  double shortest = m(0, 0);
  double longest = m(0, 0);
  for (Index j = 1; j < n; ++j) {
    shortest = (std::min)(shortest, m(j, j));
    longest = (std::max)(longest, m(j, j));
  }
  const double lift = std::sqrt(shortest) * std::sqrt(longest);
  Square lifted = take_square(scratch, n);
  for (Index k = 0; k < n * n; ++k) lifted.data()[k] = m.data()[k] + lift;
  Numbers linear = take_numbers(scratch, n);
  fill(linear, -1);
  solve_nonnegative_qp(lifted, linear, alpha, scratch);
  const double total = sum(alpha);
  for (Index j = 0; j < n; ++j) alpha[j] /= total;
}

// True when the weights combine the vectors to zero, up to rounding.
inline bool combines_to_zero(const Square& m, const Numbers& weights, Scratch& scratch) {
  const Scratch::Frame frame(scratch);
  Numbers sizes = take_numbers(scratch, m.rows());  // |M| weights
  fill(sizes, 0);
  for (Index j = 0; j < m.rows(); ++j)
    for (Index i = 0; i < m.rows(); ++i) sizes[i] += weights[j] * std::abs(m(i, j));
  return quadratic(m, weights, scratch) <= rank_tolerance(m.rows()) * dot(weights, sizes);
}

}  // namespace plait::detail
