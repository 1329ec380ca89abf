#include "plait/losses/bce.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using plait::bce_with_logits;

TEMPLATE_TEST_CASE("binary cross-entropy has the worked values and gradients", "", float, double) {
  const auto json = fixtures::load("C_losses").at("bce_with_logits");
  const double tolerance = fixtures::tolerance<TestType>;
  double sum = 0, weighted_sum = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    const auto z = json.at("logit").at(i).get<TestType>();
    const auto y = json.at("label").at(i).get<TestType>();
    TestType dz = 0, weighted_dz = 0;
    const double loss = bce_with_logits<TestType>(z, y, 1, &dz);
    CHECK_THAT(loss, WithinAbs(json.at("per_sample").at(i).get<double>(), tolerance));
    CHECK_THAT(double(dz), WithinAbs(json.at("grad_sum").at(i).get<double>(), tolerance));
    CHECK_THAT(double(dz) / 4, WithinAbs(json.at("grad_mean").at(i).get<double>(), tolerance));
    weighted_sum += bce_with_logits(z, y, json.at("pos_weight").get<TestType>(), &weighted_dz);
    CHECK_THAT(double(weighted_dz) / 4,
               WithinAbs(json.at("pos_weight_grad_mean").at(i).get<double>(), tolerance));
    sum += loss;
  }
  CHECK_THAT(sum, WithinAbs(json.at("sum").get<double>(), tolerance));
  CHECK_THAT(sum / 4, WithinAbs(json.at("mean").get<double>(), tolerance));
  CHECK_THAT(weighted_sum / 4, WithinAbs(json.at("pos_weight_mean").get<double>(), tolerance));
}

TEMPLATE_TEST_CASE("binary cross-entropy takes soft labels as PyTorch does", "", float, double) {
  // F.binary_cross_entropy_with_logits(z, y, pos_weight=torch.tensor(3.)) and z.grad
  const double z[] = {0.3, -1.2, 2.0}, y[] = {0.25, 0.5, 0.9};
  const double grad[] = {0.037221258405829495, -0.3456831889993451, -0.07792272722064315};
  double sum = 0;
  for (int i = 0; i < 3; ++i) {
    TestType dz = 0;
    sum += bce_with_logits<TestType>(TestType(z[i]), TestType(y[i]), 3, &dz);
    CHECK_THAT(double(dz) / 3, WithinAbs(grad[i], fixtures::tolerance<TestType>));
  }
  CHECK_THAT(sum / 3, WithinAbs(1.3128320774330589, fixtures::tolerance<TestType>));
}

TEST_CASE("binary cross-entropy's gradient is its finite difference") {
  constexpr double h = 1e-5;
  for (const double z : {-6.0, -0.7, 0.0, 0.4, 5.0})
    for (const double y : {0.0, 0.3, 1.0})
      for (const double pos_weight : {1.0, 2.5}) {
        CAPTURE(z, y, pos_weight);
        double dz = 0;
        bce_with_logits(z, y, pos_weight, &dz);
        const double up = bce_with_logits<double>(z + h, y, pos_weight, nullptr);
        const double down = bce_with_logits<double>(z - h, y, pos_weight, nullptr);
        CHECK_THAT(dz, WithinAbs((up - down) / (2 * h), 1e-9));
      }
}

TEMPLATE_TEST_CASE("binary cross-entropy is finite and precise for extreme logits", "", float,
                   double) {
  for (const TestType size : {TestType(100), TestType(1e4)}) {
    TestType dz = 7;
    CHECK(bce_with_logits<TestType>(size, 1, 1, &dz) <= TestType(1e-40));
    CHECK(std::abs(dz) <= TestType(1e-40));
    CHECK(bce_with_logits<TestType>(-size, 1, 1, &dz) == size);
    CHECK(dz == -1);
    CHECK(bce_with_logits<TestType>(size, 0, 1, &dz) == size);
    CHECK(dz == 1);
    CHECK(bce_with_logits<TestType>(-size, 0, 1, &dz) <= TestType(1e-40));
    CHECK(std::abs(dz) <= TestType(1e-40));
  }
  // log(1 + exp(-20)) and σ(-20): lost if a 1 were subtracted or a 20 cancelled.
  const double relative = sizeof(TestType) == 4 ? 1e-6 : 1e-14;
  TestType dz = 0;
  CHECK_THAT(double(bce_with_logits<TestType>(-20, 0, 1, &dz)),
             WithinRel(2.0611536203143807e-9, relative));
  CHECK_THAT(double(dz), WithinRel(2.0611536181902037e-9, relative));
  CHECK_THAT(double(bce_with_logits<TestType>(20, 1, 1, &dz)),
             WithinRel(2.0611536203143807e-9, relative));
  CHECK_THAT(double(dz), WithinRel(-2.0611536181902037e-9, relative));
}
