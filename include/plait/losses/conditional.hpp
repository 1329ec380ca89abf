// The event that can only follow another: a purchase given a click. Its probability as a product,
// on logits.
#pragma once
#include <algorithm>
#include <cmath>

#include "plait/losses/bce.hpp"

namespace plait {

// Logit z of a product of probabilities, σ(z) = σ(a) σ(b):
//
//   z = -log(e^-a + e^-b + e^(-a-b))
//
// The largest exponent stands outside the logarithm: finite for finite a and b, where the product
// itself would underflow or round to 1.
inline double product_logit(double a, double b) {
  const double top = (std::max)({-a, -b, -a - b});
  return -(top + std::log(std::exp(-a - top) + std::exp(-b - top) + std::exp(-a - b - top)));
}

// ∂z/∂a = (1 - σ(a)) / (1 - σ(z)) of a product's logit z <= a, any number of factors; in [0, 1].
inline double product_logit_slope(double a, double z) {
  const auto softplus = [](double x) {  // -log(1 - σ(x))
    return (std::max)(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  };
  return std::exp(softplus(z) - softplus(a));
}

// Binary cross-entropy of the joint logit: that of the event and of all that it is conditional on
// (ESMM, Ma et al., SIGIR 2018, for a click and a purchase). The label is that of the joint event,
// over all rows: no row is left out for want of a click, so the estimate is not biased by
// selection.
struct ConditionalLoss : BinaryLoss {};

static_assert(SampleLoss<ConditionalLoss, double>);

}  // namespace plait
