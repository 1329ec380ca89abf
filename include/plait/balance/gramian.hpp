// The Gramian of several tasks' gradients.
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cstddef>
#include <span>

#include "plait/balance/balancer.hpp"
#include "plait/core/config.hpp"
#include "plait/core/view.hpp"

namespace plait {

namespace detail {

// Numbers of each task that are converted to double at a time; [T, piece] stays in the cache.
inline constexpr Index gramian_piece = 512;

}  // namespace detail

// gramian [T, T] += G Gᵀ, G [T, n] having the gradients as rows, accumulated in double in the order
// of the numbers. Call it block by block to form the Gramian of gradients that lie in pieces.
template <class Scalar>
void accumulate_gramian(TaskSpans<const Scalar> gradients, Eigen::MatrixXd& gramian) {
  const Index tasks = std::ssize(gradients);
  PLAIT_ASSERT(gramian.rows() == tasks && gramian.cols() == tasks);
  if (tasks == 0) return;
  const Index size = std::ssize(gradients.front());
  Eigen::MatrixXd rows(std::min(size, detail::gramian_piece), tasks);
  for (Index first = 0; first < size; first += detail::gramian_piece) {
    const Index count = std::min(detail::gramian_piece, size - first);
    for (Index t = 0; t < tasks; ++t) {
      const std::span<const Scalar> g = gradients[static_cast<std::size_t>(t)];
      PLAIT_ASSERT(std::ssize(g) == size);
      // A loop: Eigen's cast is not vectorized.
      double* row = rows.col(t).data();
      for (Index i = 0; i < count; ++i)
        row[i] = static_cast<double>(g[static_cast<std::size_t>(first + i)]);
    }
    for (Index t = 0; t < tasks; ++t)
      for (Index s = 0; s <= t; ++s) {
        const double product = rows.col(s).head(count).dot(rows.col(t).head(count));
        gramian(s, t) += product;
        if (s != t) gramian(t, s) += product;
      }
  }
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

}  // namespace plait
