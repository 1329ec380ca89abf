// Softmax over dim with temperature τ: p_d = exp(a_d / τ) / Σ_j exp(a_j / τ). Stable for any finite
// a.
#pragma once
#include <Eigen/Core>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"

namespace plait {

// p = softmax(p / τ), in place, per sample and slot. A row with a NaN becomes NaN.
template <class Scalar>
void softmax(std::type_identity_t<Scalar> temperature, View3<Scalar> p) {
  for (Index s = 0; s < p.slots(); ++s)
    for (Index b = 0; b < p.batch(); ++b) {
      VectorMap<Scalar> row(p.row(b, s), p.dim());
      const Scalar top = row.maxCoeff();
      row.array() = ((row.array() - top) / temperature).exp();
      row /= row.sum();
    }
}

// Reverses p = softmax(a / τ): da_d = p_d (dp_d - Σ_j p_j dp_j) / τ. Needs only the output p.
template <class Scalar>
void softmax_backward(std::type_identity_t<Scalar> temperature, ConstView3<Scalar> p,
                      ConstView3<Scalar> dp, View3<Scalar> da) {
  PLAIT_ASSERT(p.batch() == da.batch() && p.shape() == da.shape());
  PLAIT_ASSERT(dp.batch() == da.batch() && dp.shape() == da.shape());
  for (Index s = 0; s < p.slots(); ++s)
    for (Index b = 0; b < p.batch(); ++b) {
      const VectorMap<const Scalar> weights(p.row(b, s), p.dim());
      const VectorMap<const Scalar> upstream(dp.row(b, s), p.dim());
      VectorMap<Scalar> out(da.row(b, s), p.dim());
      const Scalar mean = weights.dot(upstream);
      out.array() = weights.array() * (upstream.array() - mean) / temperature;
    }
}

}  // namespace plait
