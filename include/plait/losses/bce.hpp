// Binary cross-entropy of one logit.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>

#include "plait/kernels/activation.hpp"
#include "plait/losses/loss.hpp"

namespace plait {

// Loss of the logit z against the label y in [0, 1], positives counting pos_weight times:
//
//   loss = -(1 - y) log σ(-z) - pos_weight y log σ(z)
//   dz   =  (1 - y) σ(z) - pos_weight y σ(-z)
//
// (torch.nn.BCEWithLogitsLoss). dz may be null. Written with exp(-|z|) only: no overflow, and full
// relative precision however confident the logit, because nothing is subtracted from 1.
template <class Scalar>
Scalar bce_with_logits(Scalar z, Scalar y, Scalar pos_weight, Scalar* dz) {
  const Scalar e = std::exp(-std::abs(z));
  const Scalar tail = std::log1p(e);
  const Scalar negative = 1 - y;
  const Scalar positive = pos_weight * y;
  if (dz) {
    const Scalar large = 1 / (1 + e);  // σ(|z|)
    const Scalar small = e / (1 + e);  // σ(-|z|)
    *dz = z >= 0 ? negative * large - positive * small : negative * small - positive * large;
  }
  return negative * ((std::max)(z, Scalar(0)) + tail) +
         positive * ((std::max)(-z, Scalar(0)) + tail);
}

// Predicts σ(z).
struct BinaryLoss {
  double pos_weight = 1;

  static Index width() { return 1; }
  static bool accepts(double y) { return y >= 0 && y <= 1; }
  static std::string label_domain() { return "a number in [0, 1]"; }
  template <class Scalar>
  Scalar operator()(const Scalar* z, Scalar y, Scalar* dz) const {
    return bce_with_logits(*z, y, static_cast<Scalar>(pos_weight), dz);
  }
  template <class Scalar>
  static void predict(const Scalar* z, Scalar* out) {
    *out = sigmoid(*z);
  }
};

static_assert(SampleLoss<BinaryLoss, float>);

}  // namespace plait
