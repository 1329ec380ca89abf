// Linear: y = x Wᵀ + b, the layout of torch.nn.Linear, so that state dicts load without
// transposing.
#pragma once
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/gemm.hpp"
#include "plait/kernels/reduce.hpp"

namespace plait {

// x [B, I], weight [O, I], bias [O] or null, y [B, O] overwritten.
template <class Scalar>
void linear(ConstView3<Scalar> x, MatrixMap<const Scalar> weight,
            const std::type_identity_t<Scalar>* bias, View3<Scalar> y) {
  auto out = y.of_slot(0);
  if (bias != nullptr) {
    out.rowwise() = VectorMap<const Scalar>(bias, y.dim());
  } else {
    out.setZero();
  }
  add_product(x.of_slot(0), weight.transpose(), out);
}

// Reverses y = x Wᵀ: dx = dy W. dx [B, I] overwritten.
template <class Scalar>
void linear_backward_input(ConstView3<Scalar> dy, MatrixMap<const Scalar> weight,
                           View3<Scalar> dx) {
  auto out = dx.of_slot(0);
  out.setZero();
  add_product(dy.of_slot(0), weight, out);
}

// Reverses y = x Wᵀ + b: dW += dyᵀ x and, unless dbias is null, db += sum over the batch of dy.
template <class Scalar>
void linear_backward_params(View3<const Scalar> x, ConstView3<Scalar> dy, MatrixMap<Scalar> dweight,
                            std::type_identity_t<Scalar>* dbias) {
  add_product(dy.of_slot(0).transpose(), x.of_slot(0), dweight);
  if (dbias != nullptr) add_batch_sums(dy, dbias);
}

}  // namespace plait
