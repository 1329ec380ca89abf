#include "plait/losses/ordinal.hpp"

#include <array>

#include "support/catch.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::WithinAbs;
using plait::cumulative_cross_entropy;
using plait::Index;

TEMPLATE_TEST_CASE("the ordinal loss agrees with PyTorch", "", float, double) {
  // levels [[1, 1, 0], [0, 0, 0]]:
  // -(logsigmoid(z) * levels + (logsigmoid(z) - z) * (1 - levels)).sum(1), z.grad of its sum
  const TestType z[2][3] = {{TestType(1.2), TestType(0.3), TestType(-0.8)},
                            {TestType(-0.5), TestType(-1.0), TestType(0.4)}};
  const Index label[] = {2, 0};
  const double loss[] = {1.188738377754336, 1.7003539240982821};
  const double grad[2][3] = {{-0.23147521650098238, -0.425557483188341, 0.3100255188723875},
                             {0.3775406687981455, 0.2689414213699951, 0.598687660112452}};
  for (int b = 0; b < 2; ++b) {
    TestType dz[3];
    CHECK_THAT(double(cumulative_cross_entropy(z[b], 4, label[b], dz)),
               WithinAbs(loss[b], fixtures::tolerance<TestType>));
    for (int k = 0; k < 3; ++k)
      CHECK_THAT(double(dz[k]), WithinAbs(grad[b][k], fixtures::tolerance<TestType>));
  }
}

TEST_CASE("the ordinal loss's gradient is its finite difference") {
  constexpr double h = 1e-5;
  const std::array<double, 4> z = {0.3, -2.0, 1.7, 1.1};
  for (Index label = 0; label < 5; ++label) {
    std::array<double, 4> dz{};
    cumulative_cross_entropy(z.data(), 5, label, dz.data());
    for (std::size_t k = 0; k < 4; ++k) {
      CAPTURE(label, k);
      auto up = z, down = z;
      up[k] += h;
      down[k] -= h;
      double* none = nullptr;
      const double difference = cumulative_cross_entropy(up.data(), 5, label, none) -
                                cumulative_cross_entropy(down.data(), 5, label, none);
      CHECK_THAT(dz[k], WithinAbs(difference / (2 * h), 1e-9));
    }
  }
}

TEST_CASE("an ordinal prediction costs more the farther it is from the label") {
  double* none = nullptr;
  // Sure of each class in turn.
  const double z[4][3] = {{-5, -5, -5}, {5, -5, -5}, {5, 5, -5}, {5, 5, 5}};
  for (Index label = 0; label < 4; ++label)
    for (Index predicted = 0; predicted < 4; ++predicted) {
      CHECK(plait::ordinal_class(z[predicted], 4) == predicted);
      const double distance =
          static_cast<double>(label > predicted ? label - predicted : predicted - label);
      CHECK_THAT(cumulative_cross_entropy(z[predicted], 4, label, none),
                 WithinAbs(5 * distance + 3 * 0.006715348489118068, 1e-12));
    }
}
