#include "plait/losses/mse.hpp"

#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::WithinAbs;
using plait::squared_error;

TEMPLATE_TEST_CASE("squared error has the worked values and gradients", "", float, double) {
  const auto json = fixtures::load("C_losses").at("mse");
  const double tolerance = fixtures::tolerance<TestType>;
  double sum = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto at = [&](const char* key) { return json.at(key).at(i).at(0).get<double>(); };
    TestType dz = 0;
    const double loss = double(squared_error(TestType(at("pred")), TestType(at("target")), &dz));
    CHECK_THAT(loss, WithinAbs(at("per_sample"), tolerance));
    CHECK_THAT(double(dz), WithinAbs(at("grad_sum"), tolerance));
    CHECK_THAT(double(dz) / 2, WithinAbs(at("grad_mean"), tolerance));
    sum += loss;
  }
  CHECK_THAT(sum, WithinAbs(json.at("sum").get<double>(), tolerance));
  CHECK_THAT(sum / 2, WithinAbs(json.at("mean").get<double>(), tolerance));
}

TEST_CASE("squared error's gradient is its finite difference") {
  constexpr double h = 1e-4;  // exact for a quadratic but for rounding
  for (const double z : {-3.0, 0.5, 4.0}) {
    double dz = 0;
    squared_error(z, 0.75, &dz);
    const double up = squared_error<double>(z + h, 0.75, nullptr);
    const double down = squared_error<double>(z - h, 0.75, nullptr);
    CHECK_THAT(dz, WithinAbs((up - down) / (2 * h), 1e-9));
  }
}
