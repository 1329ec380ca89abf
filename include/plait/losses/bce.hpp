// Binary cross-entropy of one logit.
#pragma once
#include <algorithm>
#include <cmath>

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
  return negative * (std::max(z, Scalar(0)) + tail) + positive * (std::max(-z, Scalar(0)) + tail);
}

}  // namespace plait
