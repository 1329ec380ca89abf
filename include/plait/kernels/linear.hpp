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
#include "plait/kernels/gemm.hpp"
#include "plait/kernels/reduce.hpp"

namespace plait::kernels {

namespace detail {

inline simd::Finish finish_of(Activation f) {
  return f == Activation::relu ? simd::Finish::relu : simd::Finish::none;
}
// The activations that the product does not apply itself.
template <class Scalar>
void finish_linear(Activation f, View3<Scalar> y) {
  if (f != Activation::relu) activate(f, y);
}

}  // namespace detail

// x [B, I], weight [O, I], bias [O] or null, y [B, O] overwritten.
template <class Scalar>
void linear(ConstView3<Scalar> x, MatrixMap<const Scalar> weight,
            const std::type_identity_t<Scalar>* bias, View3<Scalar> y,
            Activation f = Activation::identity) {
  PLAIT_ASSERT(x.batch() == y.batch() && x.dim() == weight.cols() && y.dim() == weight.rows());
  simd::multiply_transposed(y.batch(), y.dim(), x.dim(),
                            simd::Left<Scalar, false>{x.data(), x.batch_stride()}, weight.data(),
                            weight.outerStride(), simd::Start<Scalar>{bias, 0},
                            detail::finish_of(f), y.data(), y.batch_stride());
  detail::finish_linear(f, y);
}

// The same with a packed weight; its `start`, where there is one, takes the bias's place.
template <class Scalar>
void linear(ConstView3<Scalar> x, const PackedWeight<Scalar>& weight,
            const std::type_identity_t<Scalar>* bias, View3<Scalar> y,
            Activation f = Activation::identity) {
  PLAIT_ASSERT(x.batch() == y.batch() && x.dim() == weight.inputs && y.dim() == weight.outputs);
  simd::multiply_packed(y.batch(), y.dim(), weight.inputs,
                        simd::Left<Scalar, false>{x.data(), x.batch_stride()}, weight.panels,
                        simd::Start<Scalar>{weight.start == nullptr ? bias : weight.start, 0},
                        detail::finish_of(f), y.data(), y.batch_stride());
  detail::finish_linear(f, y);
}

// Reverses y = x Wᵀ: dx = dy W, or with `adds` dx += dy W. dx [B, I].
template <class Scalar>
void linear_backward_input(ConstView3<Scalar> dy, MatrixMap<const Scalar> weight, View3<Scalar> dx,
                           bool adds = false) {
  PLAIT_ASSERT(dx.batch() == dy.batch() && dx.dim() == weight.cols() && dy.dim() == weight.rows());
  simd::multiply_rows(
      dx.batch(), dx.dim(), dy.dim(), simd::Left<Scalar, false>{dy.data(), dy.batch_stride()},
      weight.data(), weight.outerStride(),
      adds ? simd::Start<Scalar>{dx.data(), dx.batch_stride()} : simd::Start<Scalar>{},
      simd::Finish::none, dx.data(), dx.batch_stride());
}

// Reverses y = x Wᵀ + b: dW += dyᵀ x, or dW = dyᵀ x in a slot to overwrite, to the same bits as if
// it had been zero; and, unless dbias is null, db += sum over the batch of dy. What is added is
// whole before it is added, so that a sum of many batches loses one rounding for each.
template <class Scalar>
void linear_backward_params(View3<const Scalar> x, ConstView3<Scalar> dy,
                            const GradSlot<Scalar>& dweight, std::type_identity_t<Scalar>* dbias) {
  PLAIT_ASSERT(x.batch() == dy.batch() && x.dim() == dweight.cols && dy.dim() == dweight.rows);
  for (Index first = 0; first == 0 || first < x.batch(); first += simd::panel_depth) {
    const Index rows = (std::min)(simd::panel_depth, x.batch() - first);
    const bool overwrites = dweight.overwrite && first == 0;
    const simd::Left<Scalar, true> left{dy.data() + first * dy.batch_stride(), dy.batch_stride()};
    simd::multiply_rows(dweight.rows, dweight.cols, rows, left, x.data() + first * x.batch_stride(),
                        x.batch_stride(), simd::Start<Scalar>{},
                        overwrites ? simd::Finish::none : simd::Finish::add, dweight.data,
                        dweight.cols);
  }
  if (dbias != nullptr) add_batch_sums(dy, dbias);
}

}  // namespace plait::kernels
