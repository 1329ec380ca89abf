// Elementwise moves, sums and products over views.
#pragma once
#include <algorithm>
#include <cmath>
#include <span>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/packet.hpp"

#define PLAIT_EACH_SET "plait/kernels/each_set/reduce.inl"
#include "plait/kernels/each_set.hpp"

namespace plait::kernels {

// to[i] += from[i], `size` numbers.
template <class Scalar>
void add(Index size, const Scalar* from, Scalar* to) {
  PLAIT_RUN(instruction_set(), add<Scalar>(size, from, to));
}

// dst = 0.
template <class Scalar>
void set_zero(View3<Scalar> dst) {
  for (Index s = 0; s < dst.slots(); ++s)
    for (Index b = 0; b < dst.batch(); ++b) std::fill_n(dst.row(b, s), dst.dim(), Scalar(0));
}

// dst = src, slot by slot; src may be a broadcast view.
template <class Scalar>
void copy(ConstView3<Scalar> src, View3<Scalar> dst) {
  PLAIT_ASSERT(src.batch() == dst.batch() && src.shape() == dst.shape());
  if (dst.batch() == 0) return;
  const Index dim = dst.dim();
  for (Index s = 0; s < dst.slots(); ++s) {
    if (src.batch_stride() == dim && dst.batch_stride() == dim) {
      std::copy_n(src.row(0, s), dst.batch() * dim, dst.row(0, s));
    } else {
      for (Index b = 0; b < dst.batch(); ++b) std::copy_n(src.row(b, s), dim, dst.row(b, s));
    }
  }
}

// dst += src.
template <class Scalar>
void add(ConstView3<Scalar> src, View3<Scalar> dst) {
  PLAIT_ASSERT(src.batch() == dst.batch() && src.shape() == dst.shape());
  PLAIT_RUN(instruction_set(), add<Scalar>(src, dst));
}

// dst += scale * src.
template <class Scalar>
void add_scaled(std::type_identity_t<Scalar> scale, ConstView3<Scalar> src, View3<Scalar> dst) {
  PLAIT_ASSERT(src.batch() == dst.batch() && src.shape() == dst.shape());
  PLAIT_RUN(instruction_set(), add_scaled<Scalar>(scale, src, dst));
}

// dst = a ⊙ b; both may be broadcast views.
template <class Scalar>
void multiply(ConstView3<Scalar> a, ConstView3<Scalar> b, View3<Scalar> dst) {
  PLAIT_ASSERT(a.batch() == dst.batch() && a.shape() == dst.shape());
  PLAIT_ASSERT(b.batch() == dst.batch() && b.shape() == dst.shape());
  PLAIT_RUN(instruction_set(), multiply<Scalar>(a, b, dst));
}

// dst += a ⊙ b.
template <class Scalar>
void add_product(ConstView3<Scalar> a, ConstView3<Scalar> b, View3<Scalar> dst) {
  PLAIT_ASSERT(a.batch() == dst.batch() && a.shape() == dst.shape());
  PLAIT_ASSERT(b.batch() == dst.batch() && b.shape() == dst.shape());
  PLAIT_RUN(instruction_set(), add_product<Scalar>(a, b, dst));
}

// Backward of View3::broadcast: dst (one slot) = sum of src over its slots.
template <class Scalar>
void sum_slots(ConstView3<Scalar> src, View3<Scalar> dst) {
  PLAIT_ASSERT(dst.slots() == 1);
  set_zero(dst);
  for (Index s = 0; s < src.slots(); ++s) add(src.slot(s), dst);
}

// No NaN and no infinity: only their products with 0 are not 0, so that a sum tells.
template <class Scalar>
bool all_finite(View3<const Scalar> x) {
  PLAIT_RUN(instruction_set(), all_finite<Scalar>(x));
}
template <class Scalar>
bool all_finite(std::span<const Scalar> x) {
  PLAIT_RUN(instruction_set(), all_finite<Scalar>(x));
}

// Σ x², in Scalar.
template <class Scalar>
Scalar squared_norm(Index size, const Scalar* x) {
  PLAIT_RUN(instruction_set(), squared_norm<Scalar>(size, x));
}

// Σ x² is finite, so that no number is too large to be squared either.
template <class Scalar>
bool has_finite_norm(Index size, const Scalar* x) {
  return std::isfinite(squared_norm<Scalar>(size, x));
}

// out[d] += sum over the batch of x[b, 0, d], whole before it is added: in sums of up to 128 rows.
template <class Scalar>
void add_batch_sums(ConstView3<Scalar> x, Scalar* out) {
  PLAIT_RUN(instruction_set(), add_batch_sums<Scalar>(x, out));
}

#ifdef PLAIT_COMPILED
#define PLAIT_KERNELS(S)                                                 \
  PLAIT_KERNEL void add(Index, const S*, S*);                            \
  PLAIT_KERNEL void add(ConstView3<S>, View3<S>);                        \
  PLAIT_KERNEL void add_scaled(S, ConstView3<S>, View3<S>);              \
  PLAIT_KERNEL void multiply(ConstView3<S>, ConstView3<S>, View3<S>);    \
  PLAIT_KERNEL void add_product(ConstView3<S>, ConstView3<S>, View3<S>); \
  PLAIT_KERNEL bool all_finite(View3<const S>);                          \
  PLAIT_KERNEL bool all_finite(std::span<const S>);                      \
  PLAIT_KERNEL S squared_norm(Index, const S*);                          \
  PLAIT_KERNEL void add_batch_sums(ConstView3<S>, S*);
PLAIT_KERNELS(float)
PLAIT_KERNELS(double)
#undef PLAIT_KERNELS
#endif

}  // namespace plait::kernels
