// Huber's loss of one prediction: squared near the label, linear far from it.
#pragma once
#include <cmath>
#include <string>

#include "plait/losses/loss.hpp"

namespace plait {

// With d = z - y,
//
//   loss = d² / 2  where |d| <= delta,  delta (|d| - delta / 2)  elsewhere
//   dz   = d clipped to [-delta, delta]
//
// (Huber, Ann. Math. Statist. 1964; torch.nn.HuberLoss). Mind the factor 1/2, which squared_error
// does not have. dz may be null.
template <class Scalar>
Scalar huber(Scalar z, Scalar y, Scalar delta, Scalar* dz) {
  const Scalar difference = z - y;
  const Scalar distance = std::abs(difference);
  if (distance > delta) {
    if (dz) *dz = std::copysign(delta, difference);
    return delta * (distance - delta / 2);
  }
  if (dz) *dz = difference;
  return difference * difference / 2;
}

// Predicts z.
struct HuberLoss {
  double delta = 1;

  static Index width() { return 1; }
  static bool accepts(double y) { return std::isfinite(y); }
  static std::string label_domain() { return "a finite number"; }
  template <class Scalar>
  Scalar operator()(const Scalar* z, Scalar y, Scalar* dz) const {
    return huber(*z, y, static_cast<Scalar>(delta), dz);
  }
  template <class Scalar>
  static void predict(const Scalar* z, Scalar* out) {
    *out = *z;
  }
};

static_assert(SampleLoss<HuberLoss, float>);

}  // namespace plait
