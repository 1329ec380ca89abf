// Eigenvalues and eigenvectors of a small symmetric matrix, in given memory.
#pragma once
#include <Eigen/Core>
#include <Eigen/Householder>
#include <Eigen/Jacobi>
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "plait/core/config.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/numbers.hpp"

namespace plait::detail {

// One implicit QR step with Wilkinson's shift on rows `first` to `last` of a symmetric tridiagonal
// matrix (Golub and Van Loan, Matrix Computations, algorithm 8.3.2); q is multiplied by its
// rotations from the right.
inline void tridiagonal_step(double* diagonal, double* below, Index first, Index last, Square& q) {
  const double half = (diagonal[last - 1] - diagonal[last]) * 0.5;
  const double corner = below[last - 1];
  double shift = diagonal[last];
  if (half == 0) {
    shift -= std::abs(corner);
  } else if (corner != 0) {
    const double squared = corner * corner;
    const double length = Eigen::numext::hypot(half, corner);
    const double sum = half + (half > 0 ? length : -length);
    shift -= squared == 0 ? corner / (sum / corner) : squared / sum;  // the square may underflow
  }

  double x = diagonal[first] - shift;
  double bulge = below[first];
  for (Index k = first; k < last && bulge != 0; ++k) {
    Eigen::JacobiRotation<double> rotation;
    rotation.makeGivens(x, bulge);
    const double c = rotation.c();
    const double s = rotation.s();
    const double upper = s * diagonal[k] + c * below[k];
    const double lower = s * below[k] + c * diagonal[k + 1];
    diagonal[k] = c * (c * diagonal[k] - s * below[k]) - s * (c * below[k] - s * diagonal[k + 1]);
    diagonal[k + 1] = s * upper + c * lower;
    below[k] = c * upper - s * lower;
    if (k > first) below[k - 1] = c * below[k - 1] - s * bulge;
    x = below[k];
    if (k + 1 < last) {
      bulge = -s * below[k + 1];
      below[k + 1] = c * below[k + 1];
    }
    q.applyOnTheRight(k, k + 1, rotation);
  }
}

// M = V diag(values) Vᵀ, values ascending; m becomes V. Of m the lower triangle is read. By
// Householder reflections to a tridiagonal matrix (algorithm 8.3.1) and QR steps, as Eigen's
// SelfAdjointEigenSolver, which allocates and takes longer to compile than all else here.
inline void symmetric_eigen(Square& m, Numbers& values, Scratch& scratch) {
  const Index n = m.rows();
  if (n == 1) {
    values[0] = m(0, 0);
    m(0, 0) = 1;
    return;
  }
  double scale = 0;  // for numbers up to 1, which neither overflow nor underflow
  for (Index j = 0; j < n; ++j)
    for (Index i = j; i < n; ++i) scale = std::max(scale, std::abs(m(i, j)));
  if (scale == 0) scale = 1;
  for (Index j = 0; j < n; ++j)
    for (Index i = j; i < n; ++i) m(i, j) /= scale;

  const Scratch::Frame frame(scratch);
  Numbers factors = take_numbers(scratch, n - 1);
  Numbers below = take_numbers(scratch, n - 1);
  Numbers work = take_numbers(scratch, n);
  for (Index i = 0; i + 1 < n; ++i) {
    const Index rest = n - i - 1;
    auto v = m.col(i).tail(rest);
    auto p = factors.tail(rest);
    auto corner = m.bottomRightCorner(rest, rest);
    double beta = 0;
    double h = 0;
    v.makeHouseholderInPlace(h, beta);
    v[0] = 1;
    // corner <- H corner H with H = I - h v vᵀ.
    p.noalias() = corner.selfadjointView<Eigen::Lower>() * (h * v);
    p += (h * -0.5 * p.dot(v)) * v;
    corner.selfadjointView<Eigen::Lower>().rankUpdate(v, p, -1.0);
    v[0] = beta;
    factors[i] = h;
  }
  for (Index i = 0; i < n; ++i) values[i] = m(i, i);
  for (Index i = 0; i + 1 < n; ++i) below[i] = m(i + 1, i);
  // The product of the reflections, over the vectors that they are kept as.
  for (Index i = 0; i < n; ++i) {
    m(i, i) = 1;
    std::fill_n(m.data() + i * n, i, 0.0);
  }
  for (Index k = n - 2; k >= 0; --k) {
    const Index rest = n - k - 1;
    m.bottomRightCorner(rest, rest)
        .applyHouseholderOnTheLeft(m.col(k).tail(rest - 1), factors[k], work.data());
    std::fill_n(m.data() + k * n + k + 1, rest, 0.0);
  }

  constexpr double nothing = std::numeric_limits<double>::min();
  constexpr double precision = 1 / std::numeric_limits<double>::epsilon();
  Index first = 0;
  Index last = n - 1;
  for (Index steps = 0; steps < 30 * n; ++steps) {
    for (Index i = first; i < last; ++i) {
      const double scaled = precision * below[i];
      if (std::abs(below[i]) < nothing ||
          scaled * scaled <= std::abs(values[i]) + std::abs(values[i + 1]))
        below[i] = 0;
    }
    while (last > 0 && below[last - 1] == 0) --last;
    if (last == 0) break;
    first = last - 1;
    while (first > 0 && below[first - 1] != 0) --first;
    tridiagonal_step(values.data(), below.data(), first, last, m);
  }

  for (Index i = 0; i + 1 < n; ++i) {
    const Index least = std::min_element(values.data() + i, values.data() + n) - values.data();
    if (least == i) continue;
    std::swap(values[i], values[least]);
    std::swap_ranges(m.data() + i * n, m.data() + (i + 1) * n, m.data() + least * n);
  }
  for (Index i = 0; i < n; ++i) values[i] *= scale;
}

}  // namespace plait::detail
