// Softmax over dim with temperature τ: p_d = exp(a_d / τ) / Σ_j exp(a_j / τ). Stable for any finite
// a.
#pragma once
#include <cstddef>
#include <limits>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/elementary.hpp"
#include "plait/kernels/packet.hpp"

#define PLAIT_EACH_SET "plait/kernels/each_set/softmax.inl"
#include "plait/kernels/each_set.hpp"

namespace plait::kernels {

// p = softmax(p / τ), in place, per sample and slot. Exponentials below the normal numbers are 0. A
// row with a NaN becomes NaN.
template <class Scalar>
void softmax(std::type_identity_t<Scalar> temperature, View3<Scalar> p) {
  PLAIT_RUN(instruction_set(), softmax<Scalar>(temperature, p));
}

// Reverses p = softmax(a / τ): da_d = p_d (dp_d - Σ_j p_j dp_j) / τ. Needs only the output p.
template <class Scalar>
void softmax_backward(std::type_identity_t<Scalar> temperature, ConstView3<Scalar> p,
                      ConstView3<Scalar> dp, View3<Scalar> da) {
  PLAIT_ASSERT(p.batch() == da.batch() && p.shape() == da.shape());
  PLAIT_ASSERT(dp.batch() == da.batch() && dp.shape() == da.shape());
  PLAIT_RUN(instruction_set(), softmax_backward<Scalar>(temperature, p, dp, da));
}

#ifdef PLAIT_COMPILED
#define PLAIT_KERNELS(S)                  \
  PLAIT_KERNEL void softmax(S, View3<S>); \
  PLAIT_KERNEL void softmax_backward(S, ConstView3<S>, ConstView3<S>, View3<S>);
PLAIT_KERNELS(float)
PLAIT_KERNELS(double)
#undef PLAIT_KERNELS
#endif

}  // namespace plait::kernels
