// Ordinal loss of one sample: classes in an order, by their cumulative logits.
#pragma once
#include <cmath>
#include <string>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/losses/bce.hpp"
#include "plait/losses/loss.hpp"

namespace plait {

// K classes in an order (1 to 5 stars) have K - 1 cumulative logits z_k = logit P(y > k):
//
//   loss = Σ_k BCE(z_k, [label > k]),  dz_k = σ(z_k) - [label > k],  k = 0 ... K - 2
//
// (Frank and Hall, ECML 2001; Niu et al., CVPR 2016), so that a prediction costs the more, the more
// thresholds lie between it and the label. Nothing forces σ(z_k) to decrease with k; the labels do.
// dz [K - 1] may be null and must not overlap z.
template <class Scalar>
Scalar cumulative_cross_entropy(const Scalar* z, Index classes, Index label, Scalar* dz) {
  PLAIT_ASSERT(0 <= label && label < classes);
  Scalar loss = 0;
  for (Index k = 0; k + 1 < classes; ++k)
    loss += bce_with_logits(z[k], Scalar(label > k ? 1 : 0), Scalar(1), dz ? dz + k : nullptr);
  return loss;
}

// The class that the cumulative logits stand for: the number of thresholds that the sample is more
// likely than not to pass.
template <class Scalar>
Index ordinal_class(const Scalar* z, Index classes) {
  Index passed = 0;
  for (Index k = 0; k + 1 < classes; ++k) passed += z[k] > 0 ? 1 : 0;
  return passed;
}

// Labels are the indices of classes. Predicts P(y > k) = σ(z_k).
struct OrdinalLoss {
  Index classes = 2;

  Index width() const { return classes - 1; }
  bool accepts(double y) const {
    return y >= 0 && y < static_cast<double>(classes) && y == std::floor(y);
  }
  std::string label_domain() const { return text("the index of a class below ", classes); }
  template <class Scalar>
  Scalar operator()(const Scalar* z, Scalar y, Scalar* dz) const {
    return cumulative_cross_entropy(z, classes, static_cast<Index>(y), dz);
  }
  template <class Scalar>
  void predict(const Scalar* z, Scalar* out) const {
    for (Index k = 0; k < width(); ++k) out[k] = sigmoid(z[k]);
  }
};

static_assert(SampleLoss<OrdinalLoss, float>);

}  // namespace plait
