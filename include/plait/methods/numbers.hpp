// What the methods compute with small vectors and matrices, in double.
//
// What is done number by number is a plain loop in the methods. Sums, products and functions, whose
// rounding depends on the order or on vector instructions, are here: every method rounds alike, and
// Eigen's templates are compiled once for all of them.
#pragma once
#include <cmath>

#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/memory.hpp"

namespace plait::detail {

PLAIT_INTRINSICS_BEGIN

inline double sum(const Numbers& x) { return x.sum(); }
inline double dot(const Numbers& x, const Numbers& y) { return x.dot(y); }
inline double largest(const Numbers& x) { return x.maxCoeff(); }
inline double smallest(const Numbers& x) { return x.minCoeff(); }

// Of every number, in place.
inline void log_all(Numbers& x) { x = x.array().log().matrix(); }
inline void exp_all(Numbers& x) { x = x.array().exp().matrix(); }
inline void pow_all(Numbers& x, double exponent) { x = x.array().pow(exponent).matrix(); }

// out = M x; out is another vector than x.
inline void multiply(const Square& m, const Numbers& x, Numbers& out) { out.noalias() = m * x; }

// xᵀMx.
inline double quadratic(const Square& m, const Numbers& x, Scratch& scratch) {
  const Scratch::Frame frame(scratch);
  Numbers product = take_numbers(scratch, x.size());
  multiply(m, x, product);
  return dot(x, product);
}

// out_ij = d_i m_ij d_j; out may be m.
inline void scale_both_sides(const Square& m, const Numbers& d, Square& out) {
  for (Index j = 0; j < m.cols(); ++j)
    for (Index i = 0; i < m.rows(); ++i) out(i, j) = d[i] * m(i, j) * d[j];
}

PLAIT_INTRINSICS_END

}  // namespace plait::detail
