// Linear: y = f(x Wᵀ + b), W in the layout of torch.nn.Linear, so that state dicts load without
// transposing. For y the weight comes plain, and is then packed on the way, or packed before; the
// result is the same to the last bit. The backward reads the weight as it is.
#pragma once
#include <algorithm>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/param_view.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/kernels/bf16.hpp"
#include "plait/kernels/gemm.hpp"
#include "plait/kernels/reduce.hpp"

#define PLAIT_EACH_SET "plait/kernels/each_set/linear.inl"
#include "plait/kernels/each_set.hpp"

namespace plait::kernels {

// x [B, I], weight [O, I], bias [O] or null, y [B, O] overwritten.
template <class Scalar>
void linear(ConstView3<Scalar> x, MatrixMap<const Scalar> weight,
            const std::type_identity_t<Scalar>* bias, View3<Scalar> y,
            Activation f = Activation::identity) {
  PLAIT_ASSERT(x.batch() == y.batch() && x.dim() == weight.cols() && y.dim() == weight.rows());
  PLAIT_RUN(instruction_set(), linear<Scalar>(x, weight, bias, y, f));
}

// The same with a packed weight, which may be in bf16 (bf16.hpp); its `start`, where there is one,
// takes the bias's place.
template <class Scalar>
void linear(ConstView3<Scalar> x, const PackedWeight<Scalar>& weight,
            const std::type_identity_t<Scalar>* bias, View3<Scalar> y,
            Activation f = Activation::identity) {
  PLAIT_ASSERT(x.batch() == y.batch() && x.dim() == weight.inputs && y.dim() == weight.outputs);
  PLAIT_RUN(weight.set, linear<Scalar>(x, weight, bias, y, f));
}

// Reverses y = x Wᵀ: dx = dy W, or with `adds` dx += dy W. dx [B, I].
template <class Scalar>
void linear_backward_input(ConstView3<Scalar> dy, MatrixMap<const Scalar> weight, View3<Scalar> dx,
                           bool adds = false) {
  PLAIT_ASSERT(dx.batch() == dy.batch() && dx.dim() == weight.cols() && dy.dim() == weight.rows());
  PLAIT_RUN(instruction_set(), linear_backward_input<Scalar>(dy, weight, dx, adds));
}

// Reverses y = x Wᵀ + b: dW += dyᵀ x, or dW = dyᵀ x in a slot to overwrite, to the same bits as if
// it had been zero; and, unless dbias is null, db += sum over the batch of dy. What is added is
// whole before it is added, so that a sum of many batches loses one rounding for each.
template <class Scalar>
void linear_backward_params(View3<const Scalar> x, ConstView3<Scalar> dy,
                            const GradSlot<Scalar>& dweight, std::type_identity_t<Scalar>* dbias) {
  PLAIT_ASSERT(x.batch() == dy.batch() && x.dim() == dweight.cols && dy.dim() == dweight.rows);
  PLAIT_RUN(instruction_set(), linear_backward_params<Scalar>(x, dy, dweight, dbias));
}

#ifdef PLAIT_COMPILED
#define PLAIT_KERNELS(S)                                                                           \
  PLAIT_KERNEL void linear(ConstView3<S>, MatrixMap<const S>, const S*, View3<S>, Activation);     \
  PLAIT_KERNEL void linear(ConstView3<S>, const PackedWeight<S>&, const S*, View3<S>, Activation); \
  PLAIT_KERNEL void linear_backward_input(ConstView3<S>, MatrixMap<const S>, View3<S>, bool);      \
  PLAIT_KERNEL void linear_backward_params(View3<const S>, ConstView3<S>, const GradSlot<S>&, S*);
PLAIT_KERNELS(float)
PLAIT_KERNELS(double)
#undef PLAIT_KERNELS
#endif

}  // namespace plait::kernels
