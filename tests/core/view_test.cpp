// View3: strides, sub-views, broadcast and conversions from and to Eigen.
#include "plait/core/view.hpp"

#include <numeric>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"

using plait::Index;
using plait::View3;

namespace {

// [2, 3, 4] holding 100 b + 10 s + d, so that a number tells where it came from.
struct Numbers {
  std::vector<float> data = std::vector<float>(24);
  View3<float> view{data.data(), 2, 3, 4};
  Numbers() {
    for (Index b = 0; b < 2; ++b)
      for (Index s = 0; s < 3; ++s)
        for (Index d = 0; d < 4; ++d) view(b, s, d) = static_cast<float>(100 * b + 10 * s + d);
  }
};

}  // namespace

TEST_CASE("a contiguous view is [batch, slot, dim] in row-major order", "[view]") {
  const Numbers numbers;
  const auto view = numbers.view;
  CHECK(view.batch() == 2);
  CHECK(view.slots() == 3);
  CHECK(view.dim() == 4);
  CHECK(view.shape() == plait::Shape{3, 4});
  CHECK(view.batch_stride() == 12);
  CHECK(view.slot_stride() == 4);
  CHECK(numbers.data[12 + 2 * 4 + 3] == 123.0f);
  CHECK(view.row(1, 2) == numbers.data.data() + 20);
}

TEST_CASE("an empty view is false, a view of no samples is not", "[view]") {
  float number = 0;
  CHECK_FALSE(View3<float>());
  CHECK(View3<float>(&number, 0, 1, 1));
}

TEST_CASE("rows, slots and columns are windows on the same numbers", "[view]") {
  const Numbers numbers;
  const auto view = numbers.view;

  const auto rows = view.rows(1, 1);
  CHECK(rows.batch() == 1);
  CHECK(rows(0, 2, 3) == 123.0f);

  const auto slots = view.slot_range(1, 2);
  CHECK(slots.shape() == plait::Shape{2, 4});
  CHECK(slots(1, 0, 0) == 110.0f);
  CHECK(slots(1, 1, 2) == 122.0f);

  const auto slot = view.slot(2);
  CHECK(slot.shape() == plait::Shape{1, 4});
  CHECK(slot(1, 0, 1) == 121.0f);

  const auto columns = view.columns(1, 2);
  CHECK(columns.shape() == plait::Shape{3, 2});
  CHECK(columns(1, 2, 0) == 121.0f);
  CHECK(columns(1, 2, 1) == 122.0f);

  const auto all = view.rows(1, 1).slot(2).columns(3, 1);
  all(0, 0, 0) = -1.0f;
  CHECK(view(1, 2, 3) == -1.0f);
}

TEST_CASE("sub-views may be empty at either end", "[view]") {
  const Numbers numbers;
  CHECK(numbers.view.rows(2, 0).batch() == 0);
  CHECK(numbers.view.slot_range(3, 0).slots() == 0);
  CHECK(numbers.view.columns(4, 0).dim() == 0);
}

TEST_CASE("broadcast shows one slot as many and is read-only", "[view]") {
  const Numbers numbers;
  const auto wide = numbers.view.slot(1).broadcast(5);
  static_assert(std::is_same_v<decltype(wide), const View3<const float>>);
  CHECK(wide.shape() == plait::Shape{5, 4});
  CHECK(wide.slot_stride() == 0);
  for (Index s = 0; s < 5; ++s) CHECK(wide(1, s, 2) == 112.0f);
  CHECK(wide.of_sample(1).colwise().sum()(3) == 5 * 113.0f);
}

TEST_CASE("one slot and one sample are Eigen maps", "[view]") {
  const Numbers numbers;
  const auto slot = numbers.view.of_slot(1);
  CHECK(slot.rows() == 2);
  CHECK(slot.cols() == 4);
  CHECK(slot(1, 3) == 113.0f);

  auto sample = numbers.view.of_sample(1);
  CHECK(sample.rows() == 3);
  CHECK(sample.cols() == 4);
  CHECK(sample(2, 0) == 120.0f);

  sample.row(2).setConstant(7.0f);
  CHECK(numbers.view(1, 2, 0) == 7.0f);
  CHECK(numbers.view(1, 1, 3) == 113.0f);
  CHECK(numbers.view(0, 2, 0) == 20.0f);
}

TEST_CASE("row-major Eigen matrices, maps and blocks are views of one slot", "[view]") {
  plait::Matrix<double> matrix(3, 5);
  std::iota(matrix.data(), matrix.data() + matrix.size(), 0.0);

  const View3<const double> whole = matrix;
  CHECK(whole.batch() == 3);
  CHECK(whole.shape() == plait::Shape{1, 5});
  CHECK(whole(2, 0, 4) == 14.0);

  const View3<const double> block = matrix.block(1, 2, 2, 3);
  CHECK(block.batch() == 2);
  CHECK(block.shape() == plait::Shape{1, 3});
  CHECK(block(1, 0, 0) == 12.0);

  View3<double> written = matrix;
  written(0, 0, 0) = -1.0;
  CHECK(matrix(0, 0) == -1.0);

  auto map = written.columns(1, 2).of_slot(0);
  const View3<double> back = map;
  CHECK(back.batch_stride() == 5);
  CHECK(back(1, 0, 1) == 7.0);
}

// Constness is one-way, and only the same scalar converts.
static_assert(std::is_convertible_v<View3<float>, View3<const float>>);
static_assert(!std::is_convertible_v<View3<const float>, View3<float>>);
static_assert(std::is_convertible_v<const plait::Matrix<float>&, View3<const float>>);
static_assert(!std::is_constructible_v<View3<float>, const plait::Matrix<float>&>);
static_assert(!std::is_constructible_v<View3<float>, plait::MatrixMap<const float>&>);
static_assert(!std::is_constructible_v<View3<const float>, const plait::Matrix<double>&>);
