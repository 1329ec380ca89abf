// Small vectors and matrices in memory of a Scratch: what the methods compute with, in double.
// Nothing here allocates.
#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"
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

}  // namespace plait::detail
