// Operands of kernel tests: strided views with gaps, filled at random, and how results compare.
#pragma once
#include <limits>
#include <string>
#include <vector>

#include "plait/core/random.hpp"
#include "plait/testing/data.hpp"
#include "plait/testing/gapped.hpp"
#include "support/catch.hpp"

namespace kernels {

using plait::Index;
using plait::Shape;

// An argument that a kernel reads: NaN in its gaps, so that reading them spoils the result.
template <class Scalar>
plait::testing::Gapped<Scalar> input(Index batch, Shape shape, plait::Random& random) {
  plait::testing::Gapped<Scalar> result(batch, shape, std::numeric_limits<Scalar>::quiet_NaN());
  plait::testing::fill_normal(result.view(), random);
  return result;
}

// An argument that a kernel writes: numbers in its gaps, NaN where it must write.
template <class Scalar>
plait::testing::Gapped<Scalar> output(Index batch, Shape shape) {
  plait::testing::Gapped<Scalar> result(batch, shape, Scalar(-1234.5));
  result.fill(std::numeric_limits<Scalar>::quiet_NaN());
  return result;
}

template <class Scalar>
std::vector<Scalar> normal_numbers(Index count, plait::Random& random) {
  std::vector<Scalar> result(static_cast<std::size_t>(count));
  for (Scalar& number : result) number = static_cast<Scalar>(random.normal());
  return result;
}

// Rounding of sums of `terms` terms, relative to the largest number compared.
template <class Scalar>
double rounding(Index terms) {
  return 4 * static_cast<double>(std::numeric_limits<Scalar>::epsilon()) *
         static_cast<double>(terms + 4);
}

template <class Scalar>
void check_same(plait::testing::Gapped<Scalar>& got, plait::testing::Gapped<Scalar>& expected,
                double tolerance) {
  CHECK(got.gaps_intact());
  const auto a = got.contents();
  const auto b = expected.contents();
  CHECK(plait::testing::distance<Scalar>(a, b) <= tolerance);
}

}  // namespace kernels
