// The Gramian of several tasks' gradients.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>

#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/packet.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/memory.hpp"

namespace plait {

PLAIT_INTRINSICS_BEGIN

namespace detail {

// Numbers of each task that are converted to double at a time; [T, piece] stays in the cache.
inline constexpr Index gramian_piece = 256;
// How far ahead of them the next ones are asked for.
inline constexpr Index gramian_ahead = 1024;

// A loop, as Eigen's cast is not vectorized.
template <class Scalar>
void convert(const Scalar* from, Index count, double* to) {
  for (Index i = 0; i < count; ++i) to[i] = static_cast<double>(from[i]);
}

// out[r] = <a, row r of b> for `Rows` rows at once and in two sums each, so that none waits for the
// one before it. `size` is a whole number of pairs of packets. Asks for numbers at `ahead`
// meanwhile: the tasks' gradients are too many streams for hardware to run ahead in all of them.
template <int Rows, class Scalar>
void row_products(const double* a, const double* b, Index stride, Index size, const Scalar* ahead,
                  double* out) {
  constexpr Index w = simd::width<double>;
  simd::Packet<double> even[std::size_t{Rows}];
  simd::Packet<double> odd[std::size_t{Rows}];
  for (int r = 0; r < Rows; ++r) even[r] = odd[r] = simd::broadcast(0.0);
  for (Index i = 0; i < size; i += 2 * w) {
    simd::prefetch(ahead + i);
    const simd::Packet<double> first = simd::load(a + i);
    const simd::Packet<double> second = simd::load(a + i + w);
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      const double* row = b + r * stride + i;
      even[r] = Eigen::internal::pmadd(first, simd::load(row), even[r]);
      odd[r] = Eigen::internal::pmadd(second, simd::load(row + w), odd[r]);
    }
  }
  for (int r = 0; r < Rows; ++r)
    out[r] = Eigen::internal::predux(Eigen::internal::padd(even[r], odd[r]));
}

}  // namespace detail

// gramian [T, T], symmetric, += G Gᵀ, G [T, n] having the gradients as rows, accumulated in double.
// Call it block by block to form the Gramian of gradients that lie in pieces.
template <class Scalar>
void accumulate_gramian(TaskSpans<const Scalar> gradients, Eigen::MatrixXd& gramian,
                        Scratch& scratch) {
  const Scratch::Frame frame(scratch);
  const Index tasks = std::ssize(gradients);
  PLAIT_ASSERT(gramian.rows() == tasks && gramian.cols() == tasks);
  if (tasks == 0) return;
  const Index size = std::ssize(gradients.front());
  double* const rows = scratch.take<double>(1, tasks, detail::gramian_piece).data();
  const auto row = [&](Index t) { return rows + t * detail::gramian_piece; };
  detail::Numbers products = detail::take_numbers(scratch, tasks);
  constexpr Index step = 2 * simd::width<double>;
  const auto gradient_of = [&](Index t) {
    const std::span<const Scalar> gradient = gradients[static_cast<std::size_t>(t)];
    PLAIT_ASSERT(std::ssize(gradient) == size);
    return gradient.data();
  };
  for (Index first = 0; first < size; first += detail::gramian_piece) {
    const Index count = (std::min)(detail::gramian_piece, size - first);
    const Index whole = (count + step - 1) / step * step;
    for (Index t = 0; t < tasks; ++t) {
      detail::convert(gradient_of(t) + first, count, row(t));
      std::fill_n(row(t) + count, whole - count, 0.0);
    }
    const auto products_of = [&]<int Rows>(Index t, Index s) {
      detail::row_products<Rows>(row(t), row(s), detail::gramian_piece, whole,
                                 gradient_of(t) + first + detail::gramian_ahead,
                                 products.data() + s);
      return s + Rows;
    };
    for (Index t = 0; t < tasks; ++t) {
      Index s = 0;
      while (s + 4 <= t + 1) s = products_of.template operator()<4>(t, s);
      while (s + 2 <= t + 1) s = products_of.template operator()<2>(t, s);
      if (s <= t) products_of.template operator()<1>(t, s);
      for (s = 0; s <= t; ++s) gramian(t, s) += products[s];
    }
  }
  for (Index t = 0; t < tasks; ++t)
    for (Index s = 0; s < t; ++s) gramian(s, t) = gramian(t, s);
}

// The same for cotangents of a representation [B, S, dim], one view per task; each task's gradient
// is the whole batch, B · S · dim numbers. Row tiles may be accumulated one after the other.
template <class Scalar>
void accumulate_gramian(std::span<const View3<const Scalar>> cotangents, Eigen::MatrixXd& gramian) {
  const Index tasks = std::ssize(cotangents);
  PLAIT_ASSERT(gramian.rows() == tasks && gramian.cols() == tasks);
  for (Index t = 0; t < tasks; ++t)
    for (Index s = 0; s <= t; ++s) {
      const View3<const Scalar>& a = cotangents[static_cast<std::size_t>(s)];
      const View3<const Scalar>& b = cotangents[static_cast<std::size_t>(t)];
      PLAIT_ASSERT(a.batch() == b.batch() && a.shape() == b.shape());
      double product = 0;
      for (Index slot = 0; slot < a.slots(); ++slot)
        product += a.of_slot(slot)
                       .template cast<double>()
                       .cwiseProduct(b.of_slot(slot).template cast<double>())
                       .sum();
      gramian(s, t) += product;
      if (s != t) gramian(t, s) += product;
    }
}

PLAIT_INTRINSICS_END

}  // namespace plait
