// The logistic function, which turns a binary head's logit into a probability.
#pragma once
#include <cmath>

namespace plait {

// σ(z) = 1 / (1 + exp(-z)), without overflow for any z.
template <class Scalar>
Scalar logistic(Scalar z) {
  const Scalar e = std::exp(-std::abs(z));
  return (z >= 0 ? Scalar(1) : e) / (1 + e);
}

}  // namespace plait
