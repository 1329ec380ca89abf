// Moves, sums and products over views with gaps.
#include "plait/kernels/reduce.hpp"

#include "kernels/operands.hpp"
#include "plait/kernels/reference.hpp"

namespace {

using namespace kernels;
using plait::View3;

}  // namespace

TEMPLATE_TEST_CASE("set_zero, copy, add and add_scaled", "", float, double) {
  using Scalar = TestType;
  plait::Random random(1);
  for (const Index batch : {0, 1, 5}) {
    auto source = input<Scalar>(batch, {3, 4}, random);
    const auto numbers = source.contents();
    auto target = output<Scalar>(batch, {3, 4});
    plait::kernels::set_zero(target.view());
    CHECK(target.contents() == std::vector<Scalar>(numbers.size(), Scalar(0)));
    target.fill(std::numeric_limits<Scalar>::quiet_NaN());
    plait::kernels::copy(source.view(), target.view());
    CHECK(target.contents() == numbers);
    plait::kernels::add(source.view(), target.view());
    plait::kernels::add_scaled(Scalar(-0.5), source.view(), target.view());
    const auto got = target.contents();
    for (std::size_t i = 0; i < numbers.size(); ++i)
      CHECK(got[i] == numbers[i] + numbers[i] - Scalar(0.5) * numbers[i]);
    CHECK(target.gaps_intact());
    CHECK(source.contents() == numbers);
  }
}

TEMPLATE_TEST_CASE("multiply and add_product", "", float, double) {
  using Scalar = TestType;
  plait::Random random(4);
  for (const Index batch : {0, 1, 5})
    for (const Index dim : {1, 4, 19}) {
      auto a = input<Scalar>(batch, {3, dim}, random);
      auto b = input<Scalar>(batch, {1, dim}, random);
      auto product = output<Scalar>(batch, {3, dim});
      plait::kernels::multiply<Scalar>(a.view(), b.view().broadcast(3), product.view());
      auto sum = output<Scalar>(batch, {3, dim});
      plait::kernels::copy(a.view(), sum.view());
      plait::kernels::add_product<Scalar>(b.view().broadcast(3), product.view(), sum.view());
      for (Index r = 0; r < batch; ++r)
        for (Index s = 0; s < 3; ++s)
          for (Index d = 0; d < dim; ++d) {
            const Scalar left = a.view()(r, s, d), right = b.view()(r, 0, d);
            CHECK(product.view()(r, s, d) == left * right);
            CHECK(sum.view()(r, s, d) ==
                  Approx(left + right * (left * right)).margin(rounding<Scalar>(1)));
          }
      CHECK(product.gaps_intact());
      CHECK(sum.gaps_intact());
    }
}

TEMPLATE_TEST_CASE("copy reads a broadcast view", "", float, double) {
  using Scalar = TestType;
  plait::Random random(2);
  auto source = input<Scalar>(3, {1, 4}, random);
  auto target = output<Scalar>(3, {5, 4});
  plait::kernels::copy<Scalar>(source.view().broadcast(5), target.view());
  for (Index b = 0; b < 3; ++b)
    for (Index s = 0; s < 5; ++s)
      for (Index d = 0; d < 4; ++d) CHECK(target.view()(b, s, d) == source.view()(b, 0, d));
  CHECK(target.gaps_intact());
}

TEMPLATE_TEST_CASE("sum_slots and add_batch_sums equal their reference", "", float, double) {
  using Scalar = TestType;
  plait::Random random(3);
  for (const Index batch : {0, 1, 3, 70})
    for (const Index dim : {1, 4, 9}) {
      INFO("batch " << batch << ", dim " << dim);
      auto source = input<Scalar>(batch, {3, dim}, random);
      auto got = output<Scalar>(batch, {1, dim});
      auto expected = output<Scalar>(batch, {1, dim});
      plait::kernels::sum_slots<Scalar>(source.view(), got.view());
      plait::reference::sum_slots<Scalar>(source.view(), expected.view());
      check_same(got, expected, rounding<Scalar>(3));

      auto sums = normal_numbers<Scalar>(dim, random);
      auto expected_sums = sums;
      plait::kernels::add_batch_sums<Scalar>(source.view().slot(0), sums.data());
      plait::reference::add_batch_sums<Scalar>(source.view().slot(0), expected_sums.data());
      CHECK(plait::testing::distance<Scalar>(sums, expected_sums) <= rounding<Scalar>(batch));
    }
}

TEMPLATE_TEST_CASE("all_finite finds one bad number anywhere", "", float, double) {
  using Scalar = TestType;
  using Limits = std::numeric_limits<Scalar>;
  plait::Random random(3);
  auto x = input<Scalar>(3, {2, 37}, random);
  x.view()(1, 1, 5) = Limits::max();
  x.view()(1, 1, 6) = Limits::denorm_min();
  CHECK(plait::kernels::all_finite<Scalar>(x.view()));
  for (const Scalar bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()})
    for (const Index d : {0, 15, 36}) {
      auto spoiled = x;
      spoiled.view()(2, 1, d) = bad;
      CHECK_FALSE(plait::kernels::all_finite<Scalar>(spoiled.view()));
    }
  CHECK(plait::kernels::all_finite<Scalar>(output<Scalar>(0, {2, 5}).view()));
}
