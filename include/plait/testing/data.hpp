// Random numbers for tests of layers, and how two results are compared.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "plait/core/param_buffer.hpp"
#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"
#include "plait/core/view.hpp"

namespace plait::testing {

// Standard normal numbers, in the order of the view.
template <class Scalar>
void fill_normal(View3<Scalar> view, Random& random) {
  for (Index b = 0; b < view.batch(); ++b)
    for (Index s = 0; s < view.slots(); ++s)
      for (Index d = 0; d < view.dim(); ++d) view(b, s, d) = static_cast<Scalar>(random.normal());
}

template <class Scalar>
Tensor<Scalar> normal_tensor(Index batch, Shape shape, Random& random) {
  Tensor<Scalar> result(batch, shape.slots, shape.dim);
  fill_normal(result.view(), random);
  return result;
}

// The numbers of a tensor, contiguous.
template <class Scalar>
std::span<Scalar> flat(Tensor<Scalar>& tensor) {
  return {tensor.view().data(),
          static_cast<std::size_t>(tensor.batch() * tensor.slots() * tensor.dim())};
}

// Largest |a_i - b_i| relative to the largest |b_i|, or to 1 if that is larger. Infinity when a
// number is not finite or the sizes differ, so that no NaN slips through a comparison.
template <class Scalar>
double distance(std::span<const Scalar> a, std::span<const Scalar> b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  double scale = 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
    largest = (std::max)(largest, difference);
    scale = (std::max)(scale, std::abs(static_cast<double>(b[i])));
  }
  return largest / scale;
}

}  // namespace plait::testing
