// Small vectors and matrices in memory of a Scratch, and what the methods compute with them, in
// double. Nothing here allocates.
//
// What is done number by number is a plain loop in the methods. Sums, products and functions, whose
// rounding depends on the order or on vector instructions, are here: every method rounds alike, and
// Eigen's templates are compiled once for all of them.
#pragma once
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/scratch.hpp"

namespace plait::detail {

using Numbers = Eigen::Map<Eigen::VectorXd>;  // [n]
using Square = Eigen::Map<Eigen::MatrixXd>;   // [n, n], column by column

// From scratch, not initialised, valid until the enclosing Frame ends.
inline Numbers take_numbers(Scratch& scratch, Index n) {
  return {scratch.take<double>(1, 1, n).data(), n};
}
inline Square take_square(Scratch& scratch, Index n) {
  return {scratch.take<double>(1, n, n).data(), n, n};
}
inline Square take_copy(const Eigen::MatrixXd& m, Scratch& scratch) {
  Square result = take_square(scratch, m.rows());
  std::copy_n(m.data(), m.size(), result.data());
  return result;
}
// `count` values of a type that needs no destructor, default-initialised.
template <class T>
std::span<T> take_span(Scratch& scratch, Index count) {
  static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= buffer_alignment);
  void* memory = scratch.take<std::byte>(1, count, static_cast<Index>(sizeof(T))).data();
  T* first = static_cast<T*>(memory);
  std::uninitialized_default_construct_n(first, count);
  return {first, static_cast<std::size_t>(count)};
}

// Grows the scratch to what the methods of this folder take for so many tasks.
inline void reserve(Scratch& scratch, Index tasks) {
  const Scratch::Frame frame(scratch);
  scratch.take<double>(1, tasks, 16 * tasks + 512);
}

inline void fill(Numbers& x, double value) { std::fill_n(x.data(), x.size(), value); }
inline void copy(const Numbers& from, Numbers& to) {
  std::copy_n(from.data(), from.size(), to.data());
}
inline void copy(const Numbers& from, std::span<double> to) {
  std::copy_n(from.data(), from.size(), to.data());
}

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

// b <- M⁻¹ b for a positive definite M, of which the lower triangle is read and overwritten.
inline void solve_positive(Square& m, Numbers& b) {
  const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> factor(m);
  factor.solveInPlace(b);
}

}  // namespace plait::detail
