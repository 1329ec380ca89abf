// Squared error of one prediction.
#pragma once

namespace plait {

// loss = (z - y)², dz = 2 (z - y): torch.nn.MSELoss, without a factor 1/2. dz may be null.
template <class Scalar>
Scalar squared_error(Scalar z, Scalar y, Scalar* dz) {
  const Scalar difference = z - y;
  if (dz) *dz = 2 * difference;
  return difference * difference;
}

}  // namespace plait
