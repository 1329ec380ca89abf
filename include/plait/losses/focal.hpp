// Focal loss of one logit: cross-entropy that counts samples the less the easier they are.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>

#include "plait/kernels/activation.hpp"
#include "plait/losses/loss.hpp"

namespace plait {

// With p = σ(z) and q = 1 - p,
//
//   loss = -pos_weight y q^gamma log p - (1 - y) p^gamma log q
//   dz   =  pos_weight y q^gamma (gamma p log p - q) + (1 - y) p^gamma (p - gamma q log q)
//
// (Lin et al., ICCV 2017, eqs. 4 and 5.) The paper's balance α, positives counting α and negatives
// 1 - α, is pos_weight = α / (1 - α) times a task weight of 1 - α. gamma = 0 is bce_with_logits. A
// label y strictly between 0 and 1 is the mean of the two losses. p is no longer a probability that
// is calibrated. dz may be null.
//
// The powers are exponentials of gamma times a logarithm that is finite for every finite logit: no
// overflow and no 0 · ∞ for |z| up to 1e4 and far beyond.
template <class Scalar>
Scalar focal_with_logits(Scalar z, Scalar y, Scalar gamma, Scalar pos_weight, Scalar* dz) {
  const Scalar e = std::exp(-std::abs(z));
  const Scalar tail = std::log1p(e);
  const Scalar log_p = -((std::max)(-z, Scalar(0)) + tail);
  const Scalar log_q = -((std::max)(z, Scalar(0)) + tail);
  const Scalar positive = pos_weight * y * std::exp(gamma * log_q);
  const Scalar negative = (1 - y) * std::exp(gamma * log_p);
  if (dz) {
    const Scalar large = 1 / (1 + e);  // σ(|z|)
    const Scalar small = e / (1 + e);  // σ(-|z|)
    const Scalar p = z >= 0 ? large : small;
    const Scalar q = z >= 0 ? small : large;
    *dz = positive * (gamma * p * log_p - q) + negative * (p - gamma * q * log_q);
  }
  return -positive * log_p - negative * log_q;
}

// Predicts σ(z).
struct FocalLoss {
  double gamma = 2;
  double pos_weight = 1;

  static Index width() { return 1; }
  static bool accepts(double y) { return y >= 0 && y <= 1; }
  static std::string label_domain() { return "a number in [0, 1]"; }
  template <class Scalar>
  Scalar operator()(const Scalar* z, Scalar y, Scalar* dz) const {
    return focal_with_logits(*z, y, static_cast<Scalar>(gamma), static_cast<Scalar>(pos_weight),
                             dz);
  }
  template <class Scalar>
  static void predict(const Scalar* z, Scalar* out) {
    *out = sigmoid(*z);
  }
};

static_assert(SampleLoss<FocalLoss, float>);

}  // namespace plait
