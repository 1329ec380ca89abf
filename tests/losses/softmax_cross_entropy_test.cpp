#include "plait/losses/softmax_cross_entropy.hpp"

#include <array>
#include <cmath>

#include "support/catch.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using plait::Index;
using plait::softmax_cross_entropy;

TEMPLATE_TEST_CASE("softmax cross-entropy agrees with PyTorch", "", float, double) {
  // F.cross_entropy(z, y, reduction='none'), and z.grad of F.cross_entropy(z, y)
  const TestType z[3][3] = {{TestType(0.3), TestType(-1.2), TestType(2.0)},
                            {TestType(1.5), TestType(0.1), TestType(-0.7)},
                            {TestType(-0.4), TestType(0.9), TestType(0.2)}};
  const Index y[] = {2, 1, 0};
  const double loss[] = {0.20167124495279057, 1.705571195389138, 1.870480606783104};
  const double grad[3][3] = {{0.049772954061130394, 0.011105847210720464, -0.06087880127185086},
                             {0.24556748438151046, -0.272777137242075, 0.027209652860564457},
                             {-0.2819834644216871, 0.18841790288018848, 0.0935655615414987}};
  for (int b = 0; b < 3; ++b) {
    TestType dz[3];
    CHECK_THAT(double(softmax_cross_entropy(z[b], 3, y[b], dz)),
               WithinAbs(loss[b], fixtures::tolerance<TestType>));
    for (int k = 0; k < 3; ++k)
      CHECK_THAT(double(dz[k]) / 3, WithinAbs(grad[b][k], fixtures::tolerance<TestType>));
  }
}

TEST_CASE("softmax cross-entropy's gradient is its finite difference") {
  constexpr double h = 1e-5;
  const std::array<double, 4> z = {0.3, -2.0, 1.7, 1.1};
  for (Index label = 0; label < 4; ++label) {
    std::array<double, 4> dz{};
    softmax_cross_entropy(z.data(), 4, label, dz.data());
    for (std::size_t k = 0; k < 4; ++k) {
      CAPTURE(label, k);
      auto up = z, down = z;
      up[k] += h;
      down[k] -= h;
      double* none = nullptr;
      const double difference = softmax_cross_entropy(up.data(), 4, label, none) -
                                softmax_cross_entropy(down.data(), 4, label, none);
      CHECK_THAT(dz[k], WithinAbs(difference / (2 * h), 1e-9));
    }
  }
}

TEMPLATE_TEST_CASE("softmax cross-entropy is finite and precise for extreme logits", "", float,
                   double) {
  TestType dz[3];
  const TestType extreme[3] = {TestType(1e4), TestType(-1e4), 0};
  CHECK(softmax_cross_entropy(extreme, 3, 1, dz) == TestType(2e4));
  CHECK(dz[0] == 1);
  CHECK(dz[1] == -1);
  CHECK(dz[2] == 0);
  CHECK(softmax_cross_entropy(extreme, 3, 0, dz) == 0);
  CHECK(dz[0] == 0);

  // Equal to log(1 + exp(-20)) and σ(-20) with two classes.
  const double relative = sizeof(TestType) == 4 ? 1e-6 : 1e-14;
  const TestType confident[2] = {5, -15};
  CHECK_THAT(double(softmax_cross_entropy(confident, 2, 0, dz)),
             WithinRel(2.0611536203143807e-9, relative));
  CHECK_THAT(double(dz[0]), WithinRel(-2.0611536181902037e-9, relative));
  CHECK_THAT(double(dz[1]), WithinRel(2.0611536181902037e-9, relative));
}
