// Activations and their derivatives: against reference.hpp, against differences, and at the ends of
// the range.
#include "plait/kernels/activation.hpp"

#include <cmath>

#include "kernels/operands.hpp"
#include "plait/kernels/reference.hpp"

namespace {

using namespace kernels;
using plait::Activation;
using plait::View3;

const std::vector<Activation> all_kinds{
    Activation::identity,  Activation::relu, Activation::leaky_relu, Activation::gelu,
    Activation::gelu_tanh, Activation::silu, Activation::tanh,       Activation::sigmoid};

template <class Scalar>
Scalar value(Activation kind, Scalar a) {
  plait::kernels::activate(kind, View3<Scalar>(&a, 1, 1, 1));
  return a;
}

// f'(a), from what the backward is given: the input or the output.
template <class Scalar>
Scalar derivative(Activation kind, Scalar a) {
  const Scalar saved = plait::needs_input(kind) ? a : value(kind, a);
  const Scalar dy = 1;
  Scalar da = -1;
  plait::kernels::activate_backward<Scalar>(kind, View3<const Scalar>(&saved, 1, 1, 1),
                                            View3<const Scalar>(&dy, 1, 1, 1),
                                            View3<Scalar>(&da, 1, 1, 1));
  return da;
}

}  // namespace

TEMPLATE_TEST_CASE("activations equal their reference", "", float, double) {
  using Scalar = TestType;
  plait::Random random(1);
  for (const Activation kind : all_kinds)
    for (const Index dim : {1, 5, 16, 37})
      for (const Index batch : {0, 1, 3}) {
        INFO("activation " << static_cast<int>(kind) << ", batch " << batch << ", dim " << dim);
        plait::testing::Gapped<Scalar> got(batch, {3, dim}, Scalar(-77));
        plait::testing::fill_normal(got.view(), random);
        auto expected = got;
        plait::kernels::activate(kind, got.view());
        plait::reference::activate(kind, expected.view());
        check_same(got, expected, rounding<Scalar>(4));
      }
}

TEST_CASE("activations' derivatives are those of their values") {
  for (const Activation kind : all_kinds)
    for (double a = -6; a <= 6; a += 0.13) {
      INFO("activation " << static_cast<int>(kind) << " at " << a);
      const double h = 1e-3;
      const auto difference = [&](double step) {
        return value(kind, a + step) - value(kind, a - step);
      };
      const double numeric = (8 * difference(h) - difference(2 * h)) / (12 * h);
      CHECK(std::abs(derivative(kind, a) - numeric) < 1e-10);
    }
}

TEMPLATE_TEST_CASE("activation backward works on strided views and in place", "", float, double) {
  using Scalar = TestType;
  plait::Random random(2);
  for (const Activation kind : all_kinds)
    for (const Index dim : {5, 16, 37}) {
      INFO("activation " << static_cast<int>(kind) << ", dim " << dim);
      auto saved = input<Scalar>(3, {2, dim}, random);
      auto dy = input<Scalar>(3, {2, dim}, random);
      auto da = output<Scalar>(3, {2, dim});
      plait::kernels::activate_backward<Scalar>(kind, saved.view(), dy.view(), da.view());
      CHECK(da.gaps_intact());
      const auto separate = da.contents();
      plait::kernels::activate_backward<Scalar>(kind, saved.view(), dy.view(), dy.view());
      CHECK(dy.contents() == separate);
      CHECK(dy.gaps_intact());
    }
}

TEMPLATE_TEST_CASE("activations of a number do not depend on its place", "", float, double) {
  using Scalar = TestType;
  constexpr Index n = 37;
  plait::Random random(3);
  const auto numbers = normal_numbers<Scalar>(n, random);
  const auto upstream = normal_numbers<Scalar>(n, random);
  for (const Activation kind : all_kinds) {
    INFO("activation " << static_cast<int>(kind));
    auto values = numbers;
    auto gradients = upstream;
    plait::kernels::activate(kind, View3<Scalar>(values.data(), 1, 1, n));
    plait::kernels::activate_backward<Scalar>(kind, View3<const Scalar>(numbers.data(), 1, 1, n),
                                              View3<const Scalar>(upstream.data(), 1, 1, n),
                                              View3<Scalar>(gradients.data(), 1, 1, n));
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(values[i] == value(kind, numbers[i]));
      Scalar da = 0;
      plait::kernels::activate_backward<Scalar>(kind, View3<const Scalar>(&numbers[i], 1, 1, 1),
                                                View3<const Scalar>(&upstream[i], 1, 1, 1),
                                                View3<Scalar>(&da, 1, 1, 1));
      CHECK(gradients[i] == da);
    }
  }
}

TEST_CASE("derivatives at the kink: ReLU 0, leaky ReLU 0.01") {
  for (const double zero : {0.0, -0.0}) {
    CHECK(derivative(Activation::relu, zero) == 0);
    CHECK(derivative(Activation::leaky_relu, zero) == plait::leaky_relu_slope);
  }
}

TEMPLATE_TEST_CASE("activations saturate without overflow", "", float, double) {
  using Scalar = TestType;
  const Scalar huge = std::numeric_limits<Scalar>::max() / 4;
  const Scalar infinity = std::numeric_limits<Scalar>::infinity();
  for (const Scalar a : {Scalar(1e4), huge, infinity}) {
    INFO("at " << a);
    CHECK(value(Activation::identity, a) == a);
    CHECK(value(Activation::relu, a) == a);
    CHECK(value(Activation::relu, -a) == 0);
    CHECK(value(Activation::leaky_relu, a) == a);
    CHECK(value(Activation::leaky_relu, -a) == Scalar(0.01) * -a);
    CHECK(value(Activation::gelu, a) == a);
    CHECK(value(Activation::silu, a) == a);
    CHECK(value(Activation::tanh, a) == 1);
    CHECK(value(Activation::tanh, -a) == -1);
    CHECK(value(Activation::sigmoid, a) == 1);
    CHECK(value(Activation::sigmoid, -a) == 0);
    CHECK(derivative(Activation::tanh, a) == 0);
    CHECK(derivative(Activation::sigmoid, -a) == 0);
  }
  for (const Scalar a : {Scalar(1e4), huge}) {
    INFO("at " << a);
    CHECK(value(Activation::gelu_tanh, a) == a);
    CHECK(value(Activation::gelu, -a) == 0);
    CHECK(value(Activation::gelu_tanh, -a) == 0);
    CHECK(value(Activation::silu, -a) == 0);
    for (const Activation kind : {Activation::gelu, Activation::gelu_tanh, Activation::silu}) {
      INFO("activation " << static_cast<int>(kind));
      CHECK(derivative(kind, a) == 1);
      CHECK(derivative(kind, -a) == 0);
    }
  }
}

TEMPLATE_TEST_CASE("activations keep NaN", "", float, double) {
  using Scalar = TestType;
  const Scalar nan = std::numeric_limits<Scalar>::quiet_NaN();
  for (const Activation kind : all_kinds) {
    INFO("activation " << static_cast<int>(kind));
    CHECK(std::isnan(value(kind, nan)));
  }
}
