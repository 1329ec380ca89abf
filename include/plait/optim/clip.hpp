// Clipping by the global norm: torch.nn.utils.clip_grad_norm_.
#pragma once
#include <cmath>
#include <span>

#include "plait/core/eigen.hpp"
#include "plait/core/param_buffer.hpp"

namespace plait {

// Σ g², accumulated in double.
template <class Scalar>
double squared_norm(std::span<const Scalar> grad) {
  return VectorMap<const Scalar>(grad.data(), std::ssize(grad))
      .template cast<double>()
      .squaredNorm();
}

// Euclidean norm of all gradients together.
template <class Scalar>
double global_norm(const ParamBuffer<Scalar>& grad) {
  return std::sqrt(squared_norm(grad.flat()));  // padding is zero
}

// What multiplies every gradient so that their norm does not exceed max_norm:
// min(1, max_norm / (norm + 1e-6)). NaN for a norm that is NaN.
inline double clip_coefficient(double norm, double max_norm) {
  const double coefficient = max_norm / (norm + 1e-6);
  return coefficient >= 1 ? 1 : coefficient;
}

}  // namespace plait
