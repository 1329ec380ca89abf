// Linear's three products against reference.hpp and Eigen's products, at sizes on both sides of the
// register tile and the panels, with weights plain and packed before.
#include "plait/kernels/linear.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "kernels/operands.hpp"
#include "plait/kernels/packed_weights.hpp"
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

// A weight [O, I] with gaps between the rows.
template <class T>
MatrixMap<T> matrix(View3<T> view) {
  return view.of_slot(0);
}

// A gradient [O, I] whose numbers are those of one row [O I].
template <class Scalar>
plait::GradSlot<Scalar> slot(View3<Scalar> row, Index out, Index in, bool overwrite = false) {
  return {row.data(), out, in, overwrite};
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
      plait::kernels::linear<Scalar>(x.view(), matrix<const Scalar>(weight.view()), b, got.view());
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
    plait::kernels::linear_backward_input<Scalar>(dy.view(), matrix<const Scalar>(weight.view()),
                                                  got.view());
    plait::reference::linear_backward_input<Scalar>(dy.view(), matrix<const Scalar>(weight.view()),
                                                    expected.view());
    check_same(got, expected, rounding<Scalar>(out));

    plait::kernels::linear_backward_input<Scalar>(dy.view(), matrix<const Scalar>(weight.view()),
                                                  got.view(), true);
    plait::kernels::add_scaled<Scalar>(1, expected.view(), expected.view());
    check_same(got, expected, 2 * rounding<Scalar>(out));
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
    auto got = output<Scalar>(1, {1, out * in});
    plait::testing::fill_normal(got.view(), random);
    auto expected = got;
    auto bias = normal_numbers<Scalar>(out, random);
    auto expected_bias = bias;
    const auto both = [&, batch = batch, in = in, out = out](Scalar* db, Scalar* expected_db,
                                                             bool overwrite) {
      plait::kernels::linear_backward_params<Scalar>(x.view(), dy.view(),
                                                     slot(got.view(), out, in, overwrite), db);
      plait::reference::linear_backward_params<Scalar>(
          x.view(), dy.view(), slot(expected.view(), out, in, overwrite), expected_db);
      check_same(got, expected, rounding<Scalar>(batch));
    };
    both(bias.data(), expected_bias.data(), false);
    CHECK(plait::testing::distance<Scalar>(bias, expected_bias) <= rounding<Scalar>(batch));
    both(nullptr, nullptr, false);
    got.fill(std::numeric_limits<Scalar>::quiet_NaN());
    both(nullptr, nullptr, true);
  }
}

namespace {

// A weight [O, I] with its bias, packed.
template <class Scalar>
struct Packed {
  plait::ParamId weight;
  plait::ParamBuffer<Scalar> values;
  plait::PackedWeights<Scalar> mirror;

  Packed(Index out, Index in, plait::Random& random) : Packed(table(out, in), random) {}
  const plait::PackedWeight<Scalar>& packed() const {
    return *mirror.view(values).packed(weight, weight.rows);
  }
  MatrixMap<const Scalar> plain() const { return values.view().matrix(weight); }

 private:
  static plait::ParamTable table(Index out, Index in) {
    plait::ParamTable result;
    result.add_vector("first", 3, plait::Init::constant(1));
    result.add_weight("weight", out, in, plait::Init::uniform(1));
    return result;
  }
  Packed(plait::ParamTable table, plait::Random& random)
      : weight(table.at("weight").id),
        values(std::make_shared<const plait::ParamTable>(std::move(table))),
        mirror(values.table()) {
    initialise(values, random);
    mirror.pack(values);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a product over nothing is what it starts from", "", float, double) {
  using Scalar = TestType;
  plait::Random random(8);
  auto x = input<Scalar>(3, {1, 0}, random);
  auto weight = input<Scalar>(4, {1, 0}, random);
  const auto bias = normal_numbers<Scalar>(4, random);
  auto y = output<Scalar>(3, {1, 4});
  plait::kernels::linear<Scalar>(x.view(), matrix<const Scalar>(weight.view()), bias.data(),
                                 y.view());
  for (Index b = 0; b < 3; ++b)
    for (Index o = 0; o < 4; ++o) CHECK(y.view()(b, 0, o) == bias[static_cast<std::size_t>(o)]);

  auto no_rows = input<Scalar>(0, {1, 3}, random);
  auto no_upstream = input<Scalar>(0, {1, 4}, random);
  auto dweight = output<Scalar>(1, {1, 4 * 3});
  plait::kernels::linear_backward_params<Scalar>(no_rows.view(), no_upstream.view(),
                                                 slot(dweight.view(), 4, 3, true), nullptr);
  for (const Scalar number : dweight.contents()) CHECK(number == 0);
}

TEMPLATE_TEST_CASE("packed weights give the same bits as plain ones", "", float, double) {
  using Scalar = TestType;
  plait::Random random(5);
  for (const auto [batch, in, out] : all_sizes) {
    INFO("batch " << batch << ", " << in << " to " << out);
    const Packed<Scalar> weight(out, in, random);
    const auto bias = normal_numbers<Scalar>(out, random);
    auto x = input<Scalar>(batch, {1, in}, random);
    auto plain = output<Scalar>(batch, {1, out});
    auto packed = output<Scalar>(batch, {1, out});
    for (const auto f :
         {plait::Activation::identity, plait::Activation::relu, plait::Activation::silu}) {
      plait::kernels::linear<Scalar>(x.view(), weight.plain(), bias.data(), plain.view(), f);
      plait::kernels::linear<Scalar>(x.view(), weight.packed(), bias.data(), packed.view(), f);
      CHECK(packed.contents() == plain.contents());
      CHECK(packed.gaps_intact());
    }
  }
}

TEMPLATE_TEST_CASE("a row's result depends on that row alone, to the last bit", "", float, double) {
  using Scalar = TestType;
  plait::Random random(6);
  for (const Index out : {1, 9, 48, 70, 256}) {
    const Packed<Scalar> weight(out, 300, random);
    auto x = input<Scalar>(23, {1, 300}, random);
    auto whole = output<Scalar>(23, {1, out});
    plait::kernels::linear<Scalar>(x.view(), weight.packed(), nullptr, whole.view());
    for (const Index rows : {1, 2, 3, 5, 7, 8, 11}) {
      INFO(rows << " rows at a time to " << out);
      auto parts = output<Scalar>(23, {1, out});
      for (Index first = 0; first < 23; first += rows) {
        const Index count = std::min(rows, 23 - first);
        plait::kernels::linear<Scalar>(x.view().rows(first, count), weight.packed(), nullptr,
                                       parts.view().rows(first, count));
      }
      CHECK(parts.contents() == whole.contents());
    }
  }
}

TEMPLATE_TEST_CASE("products equal Eigen's at the sizes of real levels", "", float, double) {
  using Scalar = TestType;
  plait::Random random(7);
  const Packed<Scalar> weight(256, 256, random);
  auto x = input<Scalar>(128, {1, 256}, random);
  auto y = output<Scalar>(128, {1, 256});
  plait::kernels::linear<Scalar>(x.view(), weight.packed(), nullptr, y.view());
  const plait::Matrix<Scalar> expected = x.view().of_slot(0) * weight.plain().transpose();
  CHECK((y.view().of_slot(0) - expected).norm() <= rounding<Scalar>(256) * expected.norm());

  auto dx = output<Scalar>(128, {1, 256});
  plait::kernels::linear_backward_input<Scalar>(x.view(), weight.plain(), dx.view());
  const plait::Matrix<Scalar> expected_dx = x.view().of_slot(0) * weight.plain();
  CHECK((dx.view().of_slot(0) - expected_dx).norm() <= rounding<Scalar>(256) * expected_dx.norm());

  plait::Matrix<Scalar> dweight = plait::Matrix<Scalar>::Zero(256, 256);
  plait::kernels::linear_backward_params<Scalar>(
      x.view(), y.view(), plait::GradSlot<Scalar>{dweight.data(), 256, 256}, nullptr);
  const plait::Matrix<Scalar> expected_dw = y.view().of_slot(0).transpose() * x.view().of_slot(0);
  CHECK((dweight - expected_dw).norm() <= rounding<Scalar>(256) * expected_dw.norm());
}

TEMPLATE_TEST_CASE("products do not depend on where operands lie", "", float, double) {
  using Scalar = TestType;
  plait::Random random(12);
  const Index batch = 70;
  const Index inputs = 16 * 9;
  for (const Index outputs : {8, 70, 130}) {
    const Index room = 64 / Index{sizeof(Scalar)};
    plait::AlignedVector<Scalar> x(static_cast<std::size_t>(batch * inputs + room));
    const auto dy = kernels::normal_numbers<Scalar>(batch * outputs, random);
    const auto numbers = kernels::normal_numbers<Scalar>(batch * inputs, random);
    plait::AlignedVector<Scalar> expected;
    for (const Index offset : {Index{0}, Index{1}, Index{3}, room - 1}) {
      INFO(outputs << " outputs, offset " << offset);
      std::copy(numbers.begin(), numbers.end(), x.begin() + offset);
      plait::AlignedVector<Scalar> dweight(static_cast<std::size_t>(outputs * inputs), Scalar(0));
      plait::kernels::linear_backward_params<Scalar>(
          plait::View3<const Scalar>(x.data() + offset, batch, 1, inputs),
          plait::View3<const Scalar>(dy.data(), batch, 1, outputs),
          {dweight.data(), outputs, inputs, true}, nullptr);
      if (offset == 0) expected = dweight;
      CHECK(dweight == expected);
    }
  }
}

TEMPLATE_TEST_CASE("a packed weight's start takes the bias's place", "", float, double) {
  using Scalar = TestType;
  plait::Random random(8);
  const Packed<Scalar> weight(70, 40, random);
  auto x = input<Scalar>(9, {1, 40}, random);
  const auto start = normal_numbers<Scalar>(70, random);
  const std::vector<Scalar> bias(70, std::numeric_limits<Scalar>::quiet_NaN());
  auto got = output<Scalar>(9, {1, 70});
  auto expected = output<Scalar>(9, {1, 70});
  auto started = weight.packed();
  started.start = start.data();
  plait::kernels::linear<Scalar>(x.view(), started, bias.data(), got.view());
  plait::kernels::linear<Scalar>(x.view(), weight.packed(), start.data(), expected.view());
  CHECK(got.contents() == expected.contents());
}

TEMPLATE_TEST_CASE("linear with ReLU keeps NaN", "", float, double) {
  using Scalar = TestType;
  plait::Random random(9);
  const Packed<Scalar> weight(33, 8, random);
  auto x = input<Scalar>(9, {1, 8}, random);
  x.view()(4, 0, 3) = std::numeric_limits<Scalar>::quiet_NaN();
  auto y = output<Scalar>(9, {1, 33});
  plait::kernels::linear<Scalar>(x.view(), weight.packed(), nullptr, y.view(),
                                 plait::Activation::relu);
  for (Index b = 0; b < 9; ++b)
    for (Index o = 0; o < 33; ++o) {
      CHECK(std::isnan(y.view()(b, 0, o)) == (b == 4));
      if (b != 4) CHECK(y.view()(b, 0, o) >= 0);
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
    plait::kernels::linear<double>(x.view(), matrix<const double>(weight.view()), nullptr,
                                   y.view());
    for (Index b = 0; b < 4; ++b)
      for (Index o = 0; o < 3; ++o) CHECK(std::isfinite(y.view()(b, 0, o)) == (b != 1));
  }
}
