#include "plait/losses/focal.hpp"

#include <cmath>

#include "plait/losses/bce.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using plait::focal_with_logits;

TEMPLATE_TEST_CASE("focal loss agrees with torchvision", "", float, double) {
  // torchvision.ops.sigmoid_focal_loss(z, y, alpha=0.25, gamma=2) and z.grad of its sum
  const double z[] = {1.3, -0.4, 2.1, -3.0}, y[] = {1, 0, 0, 1};
  const double loss[] = {0.002763562870184203, 0.06196644316517594, 1.3188574649014089,
                         0.6915701102563155};
  const double grad[] = {-0.006799166971527809, 0.12267108379511976, 0.8181043659621445,
                         -0.28168747015872214};
  const double alpha = 0.25;
  const auto pos_weight = static_cast<TestType>(alpha / (1 - alpha));
  for (int i = 0; i < 4; ++i) {
    TestType dz = 7;
    const TestType of_sample =
        focal_with_logits<TestType>(TestType(z[i]), TestType(y[i]), 2, pos_weight, &dz);
    CHECK_THAT((1 - alpha) * double(of_sample), WithinAbs(loss[i], fixtures::tolerance<TestType>));
    CHECK_THAT((1 - alpha) * double(dz), WithinAbs(grad[i], fixtures::tolerance<TestType>));
  }
}

TEST_CASE("focal loss without damping is binary cross-entropy") {
  for (const double z : {-30.0, -0.7, 0.0, 2.5})
    for (const double y : {0.0, 0.3, 1.0}) {
      double dz = 0, expected_dz = 0;
      const double expected = plait::bce_with_logits(z, y, 1.7, &expected_dz);
      CHECK_THAT(focal_with_logits(z, y, 0.0, 1.7, &dz), WithinRel(expected, 1e-14));
      CHECK_THAT(dz, WithinRel(expected_dz, 1e-14));
    }
}

TEST_CASE("the focal loss's gradient is its finite difference") {
  constexpr double h = 1e-5;
  for (const double z : {-6.0, -0.7, 0.0, 0.4, 5.0})
    for (const double y : {0.0, 0.3, 1.0})
      for (const double gamma : {0.5, 2.0, 5.0}) {
        CAPTURE(z, y, gamma);
        double dz = 0;
        focal_with_logits(z, y, gamma, 2.5, &dz);
        const double up = focal_with_logits<double>(z + h, y, gamma, 2.5, nullptr);
        const double down = focal_with_logits<double>(z - h, y, gamma, 2.5, nullptr);
        CHECK_THAT(dz, WithinAbs((up - down) / (2 * h), 1e-9));
      }
}

TEMPLATE_TEST_CASE("focal loss is finite and precise for extreme logits", "", float, double) {
  for (const TestType size : {TestType(100), TestType(1e4)}) {
    TestType dz = 7;
    CHECK(focal_with_logits<TestType>(size, 1, 2, 1, &dz) <= TestType(1e-40));
    CHECK(std::abs(dz) <= TestType(1e-40));
    CHECK(focal_with_logits<TestType>(-size, 1, 2, 1, &dz) == size);
    CHECK(dz == -1);
    CHECK(focal_with_logits<TestType>(size, 0, 2, 1, &dz) == size);
    CHECK(dz == 1);
    CHECK(focal_with_logits<TestType>(-size, 0, 2, 1, &dz) <= TestType(1e-40));
    CHECK(std::abs(dz) <= TestType(1e-40));
  }
  // σ(-5)² log(1 + exp(-5)): lost if a 1 were subtracted.
  const double q = std::exp(-5.0) / (1 + std::exp(-5.0));
  CHECK_THAT(double(focal_with_logits<TestType>(5, 1, 2, 1, nullptr)),
             WithinRel(q * q * std::log1p(std::exp(-5.0)), sizeof(TestType) == 4 ? 3e-6 : 1e-14));
}
