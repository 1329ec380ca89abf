#include "plait/losses/huber.hpp"

#include "support/catch.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::WithinAbs;
using plait::huber;

TEMPLATE_TEST_CASE("Huber's loss agrees with PyTorch", "", float, double) {
  // F.huber_loss(z, y, delta=1.5, reduction='none') and z.grad of its sum
  const double z[] = {0.3, -1.7, 4.0, 0.9}, y[] = {0.5, 0.2, -1.0, 0.9};
  const double loss[] = {0.02, 1.725, 6.375, 0}, grad[] = {-0.2, -1.5, 1.5, 0};
  for (int i = 0; i < 4; ++i) {
    TestType dz = 7;
    CHECK_THAT(double(huber<TestType>(TestType(z[i]), TestType(y[i]), TestType(1.5), &dz)),
               WithinAbs(loss[i], fixtures::tolerance<TestType>));
    CHECK_THAT(double(dz), WithinAbs(grad[i], fixtures::tolerance<TestType>));
  }
}

TEST_CASE("Huber's loss is half the squared error near the label and continuous at delta") {
  constexpr double delta = 0.75;
  CHECK(huber<double>(0.5, 0, delta, nullptr) == 0.125);
  double inside = 0, outside = 0;
  const double at = huber(delta, 0.0, delta, &inside);
  CHECK_THAT(huber(delta + 1e-9, 0.0, delta, &outside), WithinAbs(at, 1e-8));
  CHECK(inside == delta);
  CHECK(outside == delta);
}

TEST_CASE("Huber's gradient is its finite difference") {
  constexpr double h = 1e-5;
  for (const double z : {-4.0, -0.3, 0.0, 0.6, 5.0}) {
    double dz = 0;
    huber(z, 0.2, 1.25, &dz);
    const double up = huber<double>(z + h, 0.2, 1.25, nullptr);
    const double down = huber<double>(z - h, 0.2, 1.25, nullptr);
    CHECK_THAT(dz, WithinAbs((up - down) / (2 * h), 1e-9));
  }
}
