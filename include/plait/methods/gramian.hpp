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

}  // namespace detail

PLAIT_INTRINSICS_END

}  // namespace plait

#define PLAIT_EACH_SET "plait/methods/each_set/gramian.inl"
#include "plait/kernels/each_set.hpp"

namespace plait {

PLAIT_INTRINSICS_BEGIN

namespace detail {

template <class Scalar>
void add_products(TaskSpans<const Scalar> gradients, Eigen::MatrixXd& gramian, double* rows,
                  double* products) {
  PLAIT_RUN(instruction_set(), add_products<Scalar>(gradients, gramian, rows, products));
}

#ifdef PLAIT_COMPILED
#define PLAIT_KERNELS(S) \
  PLAIT_KERNEL void add_products(TaskSpans<const S>, Eigen::MatrixXd&, double*, double*);
PLAIT_KERNELS(float)
PLAIT_KERNELS(double)
#undef PLAIT_KERNELS
#endif

}  // namespace detail

// gramian [T, T], symmetric, += G Gᵀ, G [T, n] having the gradients as rows, accumulated in double.
// Call it block by block to form the Gramian of gradients that lie in pieces.
template <class Scalar>
void accumulate_gramian(TaskSpans<const Scalar> gradients, Eigen::MatrixXd& gramian,
                        Scratch& scratch) {
  const Index tasks = std::ssize(gradients);
  PLAIT_ASSERT(gramian.rows() == tasks && gramian.cols() == tasks);
  if (tasks == 0) return;
  const Scratch::Frame frame(scratch);
  double* const rows = scratch.take<double>(1, tasks, detail::gramian_piece).data();
  detail::Numbers products = detail::take_numbers(scratch, tasks);
  detail::add_products(gradients, gramian, rows, products.data());
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
