// Linear's three products against reference.hpp, at sizes on both sides of gemm.hpp's panels.
#include "plait/kernels/linear.hpp"

#include <cmath>

#include "kernels/operands.hpp"
#include "plait/kernels/reference.hpp"

namespace {

using namespace kernels;
using plait::MatrixMap;
using plait::View3;

struct Sizes {
  Index batch, in, out;
};

const std::vector<Sizes> all_sizes{
    {0, 3, 4},    {1, 1, 1},     {1, 5, 3},     {3, 7, 5},     {2, 1, 9},       {5, 9, 1},
    {17, 31, 13}, {64, 256, 64}, {63, 255, 65}, {65, 257, 63}, {300, 260, 130}, {130, 300, 260},
};

// A weight or its gradient [O, I] with gaps between the rows.
template <class T>
MatrixMap<T> matrix(View3<T> view) {
  return view.of_slot(0);
}

}  // namespace

TEMPLATE_TEST_CASE("linear equals its reference", "", float, double) {
  using Scalar = TestType;
  plait::Random random(1);
  for (const auto [batch, in, out] : all_sizes) {
    INFO("batch " << batch << ", " << in << " to " << out);
    auto x = input<Scalar>(batch, {1, in}, random);
    auto weight = input<Scalar>(out, {1, in}, random);
    const auto bias = normal_numbers<Scalar>(out, random);
    for (const Scalar* b : {bias.data(), static_cast<const Scalar*>(nullptr)}) {
      auto got = output<Scalar>(batch, {1, out});
      auto expected = output<Scalar>(batch, {1, out});
      plait::linear<Scalar>(x.view(), matrix<const Scalar>(weight.view()), b, got.view());
      plait::reference::linear<Scalar>(x.view(), matrix<const Scalar>(weight.view()), b,
                                       expected.view());
      check_same(got, expected, rounding<Scalar>(in));
    }
  }
}

TEMPLATE_TEST_CASE("linear_backward_input equals its reference", "", float, double) {
  using Scalar = TestType;
  plait::Random random(2);
  for (const auto [batch, in, out] : all_sizes) {
    INFO("batch " << batch << ", " << in << " to " << out);
    auto dy = input<Scalar>(batch, {1, out}, random);
    auto weight = input<Scalar>(out, {1, in}, random);
    auto got = output<Scalar>(batch, {1, in});
    auto expected = output<Scalar>(batch, {1, in});
    plait::linear_backward_input<Scalar>(dy.view(), matrix<const Scalar>(weight.view()),
                                         got.view());
    plait::reference::linear_backward_input<Scalar>(dy.view(), matrix<const Scalar>(weight.view()),
                                                    expected.view());
    check_same(got, expected, rounding<Scalar>(out));
  }
}

TEMPLATE_TEST_CASE("linear_backward_params accumulates what its reference does", "", float,
                   double) {
  using Scalar = TestType;
  plait::Random random(3);
  for (const auto [batch, in, out] : all_sizes) {
    INFO("batch " << batch << ", " << in << " to " << out);
    auto x = input<Scalar>(batch, {1, in}, random);
    auto dy = input<Scalar>(batch, {1, out}, random);
    auto got = output<Scalar>(out, {1, in});
    plait::testing::fill_normal(got.view(), random);
    auto expected = got;
    auto bias = normal_numbers<Scalar>(out, random);
    auto expected_bias = bias;
    plait::linear_backward_params<Scalar>(x.view(), dy.view(), matrix<Scalar>(got.view()),
                                          bias.data());
    plait::reference::linear_backward_params<Scalar>(
        x.view(), dy.view(), matrix<Scalar>(expected.view()), expected_bias.data());
    check_same(got, expected, rounding<Scalar>(batch));
    CHECK(plait::testing::distance<Scalar>(bias, expected_bias) <= rounding<Scalar>(batch));

    plait::linear_backward_params<Scalar>(x.view(), dy.view(), matrix<Scalar>(got.view()), nullptr);
    plait::reference::linear_backward_params<Scalar>(x.view(), dy.view(),
                                                     matrix<Scalar>(expected.view()), nullptr);
    check_same(got, expected, rounding<Scalar>(batch));
  }
}

TEST_CASE("linear of an infinite or NaN input is not finite") {
  plait::Random random(4);
  auto weight = input<double>(3, {1, 2}, random);
  for (const double bad :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    auto x = input<double>(4, {1, 2}, random);
    x.view()(1, 0, 1) = bad;
    auto y = output<double>(4, {1, 3});
    plait::linear<double>(x.view(), matrix<const double>(weight.view()), nullptr, y.view());
    for (Index b = 0; b < 4; ++b)
      for (Index o = 0; o < 3; ++o) CHECK(std::isfinite(y.view()(b, 0, o)) == (b != 1));
  }
}
