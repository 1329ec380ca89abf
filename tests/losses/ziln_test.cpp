#include "plait/losses/ziln.hpp"

#include <array>
#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using plait::zero_inflated_lognormal;
using plait::ZeroInflatedLognormalLoss;

namespace {

const double z[3][3] = {{0.4, 1.1, 0.2}, {-1.3, 0.7, -0.9}, {0.8, 2.0, 1.5}};
const double y[] = {3.7, 0.0, 25.0};

}  // namespace

TEMPLATE_TEST_CASE("the zero-inflated lognormal loss agrees with PyTorch's distributions", "",
                   float, double) {
  // BCE(z_0, y > 0) - (y > 0) LogNormal(z_1, max(softplus(z_2), √1e-7)).log_prob(y); z.grad
  const double loss[] = {2.548880504775094, 0.24100845383299216, 5.296981740132877};
  const double grad[3][3] = {{-0.401312339887548, -0.327039920723114, 0.6419585555868926},
                             {0.2141650169574414, 0, 0},
                             {-0.3100255188723875, -0.4210559684529584, 0.23391320903175786}};
  // σ(z_0) exp(z_1 + s² / 2)
  const double expected[] = {2.473162200658424, 0.45711719776655524, 21.678108041398062};
  for (int b = 0; b < 3; ++b) {
    const TestType logits[] = {TestType(z[b][0]), TestType(z[b][1]), TestType(z[b][2])};
    TestType dz[3], out[3];
    CHECK_THAT(double(zero_inflated_lognormal(logits, TestType(y[b]), dz)),
               WithinAbs(loss[b], fixtures::tolerance<TestType>));
    for (int k = 0; k < 3; ++k)
      CHECK_THAT(double(dz[k]), WithinAbs(grad[b][k], fixtures::tolerance<TestType>));
    ZeroInflatedLognormalLoss::predict(logits, out);
    CHECK_THAT(double(out[0]), WithinRel(expected[b], sizeof(TestType) == 4 ? 1e-5 : 1e-13));
    CHECK_THAT(double(out[1] * out[2]), WithinRel(double(out[0]), 1e-5));
  }
}

TEST_CASE("the zero-inflated lognormal loss's gradient is its finite difference") {
  constexpr double h = 1e-5;
  for (int b = 0; b < 3; ++b) {
    double dz[3];
    zero_inflated_lognormal(z[b], y[b], dz);
    for (std::size_t k = 0; k < 3; ++k) {
      CAPTURE(b, k);
      std::array<double, 3> up = {z[b][0], z[b][1], z[b][2]};
      std::array<double, 3> down = up;
      up[k] += h;
      down[k] -= h;
      double* none = nullptr;
      const double difference = zero_inflated_lognormal(up.data(), y[b], none) -
                                zero_inflated_lognormal(down.data(), y[b], none);
      CHECK_THAT(dz[k], WithinAbs(difference / (2 * h), 1e-9));
    }
  }
}

TEST_CASE("the deviation has a floor, and no slope there") {
  double slope = 7;
  CHECK(plait::ziln_deviation(-9.0, &slope) == plait::ziln_smallest_deviation);
  CHECK(slope == 0);
  CHECK_THAT(plait::ziln_smallest_deviation, WithinRel(std::sqrt(1e-7), 1e-15));
  CHECK_THAT(plait::ziln_deviation(-8.0, &slope), WithinRel(std::log1p(std::exp(-8.0)), 1e-14));
  CHECK(slope > 0);
}

TEMPLATE_TEST_CASE("the zero-inflated lognormal loss is finite for extreme logits and values", "",
                   float, double) {
  for (const TestType a : {TestType(-1e4), TestType(1e4)})
    for (const TestType b : {TestType(-1e4), TestType(1e4)})
      for (const TestType c : {TestType(-1e4), TestType(1e4)})
        for (const TestType value : {TestType(0), std::numeric_limits<TestType>::min(),
                                     std::numeric_limits<TestType>::max()}) {
          CAPTURE(a, b, c, value);
          const TestType logits[] = {a, b, c};
          TestType dz[3];
          CHECK(std::isfinite(zero_inflated_lognormal(logits, value, dz)));
          for (const TestType d : dz) CHECK(std::isfinite(d));
        }
  // What the probability makes up for is not infinite.
  const TestType logits[] = {-1000, 1000, 0};
  TestType out[3];
  ZeroInflatedLognormalLoss::predict(logits, out);
  CHECK_THAT(double(out[0]), WithinRel(std::exp(std::log(2.0) * std::log(2.0) / 2),
                                       sizeof(TestType) == 4 ? 1e-4 : 1e-12));
  CHECK(std::isinf(out[2]));
}
