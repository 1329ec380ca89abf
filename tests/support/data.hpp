// Random batches for tests.
#pragma once
#include <cstdint>
#include <vector>

#include "plait/core/random.hpp"
#include "plait/core/view.hpp"
#include "plait/losses/head.hpp"

namespace data {

template <class Scalar>
plait::Matrix<Scalar> normal(plait::Index rows, plait::Index cols, std::uint64_t seed) {
  plait::Random random(seed);
  plait::Matrix<Scalar> result(rows, cols);
  for (plait::Index i = 0; i < result.size(); ++i)
    result.data()[i] = static_cast<Scalar>(random.normal());
  return result;
}

// Zeros and ones.
template <class Scalar>
plait::Matrix<Scalar> binary(plait::Index rows, plait::Index cols, std::uint64_t seed) {
  plait::Random random(seed);
  plait::Matrix<Scalar> result(rows, cols);
  for (plait::Index i = 0; i < result.size(); ++i)
    result.data()[i] = static_cast<Scalar>(random.below(2));
  return result;
}

// One binary head per task.
inline std::vector<plait::Head> binary_heads(plait::Index tasks) {
  return std::vector<plait::Head>(static_cast<std::size_t>(tasks));
}

}  // namespace data
