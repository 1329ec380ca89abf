// Squared error of one prediction.
#pragma once
#include <cmath>
#include <string>

#include "plait/losses/loss.hpp"

namespace plait {

// loss = (z - y)², dz = 2 (z - y): torch.nn.MSELoss, without a factor 1/2. dz may be null.
template <class Scalar>
Scalar squared_error(Scalar z, Scalar y, Scalar* dz) {
  const Scalar difference = z - y;
  if (dz) *dz = 2 * difference;
  return difference * difference;
}

// Predicts z.
struct SquaredLoss {
  static Index width() { return 1; }
  static bool accepts(double y) { return std::isfinite(y); }
  static std::string label_domain() { return "a finite number"; }
  template <class Scalar>
  Scalar operator()(const Scalar* z, Scalar y, Scalar* dz) const {
    return squared_error(*z, y, dz);
  }
  template <class Scalar>
  static void predict(const Scalar* z, Scalar* out) {
    *out = *z;
  }
};

static_assert(SampleLoss<SquaredLoss, float>);

}  // namespace plait
