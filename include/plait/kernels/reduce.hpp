// Elementwise moves and sums over views.
#pragma once
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"

namespace plait::kernels {

// dst = 0.
template <class Scalar>
void set_zero(View3<Scalar> dst) {
  for (Index s = 0; s < dst.slots(); ++s) dst.of_slot(s).setZero();
}

// dst = src, slot by slot; src may be a broadcast view.
template <class Scalar>
void copy(ConstView3<Scalar> src, View3<Scalar> dst) {
  PLAIT_ASSERT(src.batch() == dst.batch() && src.shape() == dst.shape());
  for (Index s = 0; s < dst.slots(); ++s) dst.of_slot(s) = src.of_slot(s);
}

// dst += src.
template <class Scalar>
void add(ConstView3<Scalar> src, View3<Scalar> dst) {
  PLAIT_ASSERT(src.batch() == dst.batch() && src.shape() == dst.shape());
  for (Index s = 0; s < dst.slots(); ++s) dst.of_slot(s) += src.of_slot(s);
}

// dst += scale * src.
template <class Scalar>
void add_scaled(std::type_identity_t<Scalar> scale, ConstView3<Scalar> src, View3<Scalar> dst) {
  PLAIT_ASSERT(src.batch() == dst.batch() && src.shape() == dst.shape());
  for (Index s = 0; s < dst.slots(); ++s) dst.of_slot(s) += scale * src.of_slot(s);
}

// Backward of View3::broadcast: dst (one slot) = sum of src over its slots.
template <class Scalar>
void sum_slots(ConstView3<Scalar> src, View3<Scalar> dst) {
  PLAIT_ASSERT(dst.slots() == 1);
  set_zero(dst);
  for (Index s = 0; s < src.slots(); ++s) dst.of_slot(0) += src.of_slot(s);
}

// No NaN and no infinity: only their products with 0 are not 0, so that a sum tells.
template <class Scalar>
bool all_finite(View3<const Scalar> x) {
  for (Index s = 0; s < x.slots(); ++s)
    for (Index b = 0; b < x.batch(); ++b) {
      const VectorMap<const Scalar> row(x.row(b, s), x.dim());
      if (!((row.array() * Scalar(0)).sum() == 0)) return false;
    }
  return true;
}

// out[d] += sum over the batch of x[b, 0, d].
template <class Scalar>
void add_batch_sums(ConstView3<Scalar> x, Scalar* out) {
  VectorMap<Scalar> sums(out, x.dim());
  for (Index b = 0; b < x.batch(); ++b) sums += VectorMap<const Scalar>(x.row(b), x.dim());
}

}  // namespace plait::kernels
