// Inputs and labels of any batch, equal for all contestants.
#pragma once
#include "plait/core/random.hpp"
#include "plait/core/view.hpp"
#include "support/reference.hpp"

namespace bench {

inline plait::Matrix<float> random_matrix(Index rows, Index columns, std::uint64_t seed = 1) {
  plait::Random random(seed);
  plait::Matrix<float> result(rows, columns);
  for (float& number : result.reshaped()) number = static_cast<float>(random.symmetric(1.0));
  return result;
}

inline plait::Matrix<float> random_labels(Index rows) {
  return (random_matrix(rows, sizes::tasks, 2).array() > 0.0f).cast<float>();
}

}  // namespace bench
