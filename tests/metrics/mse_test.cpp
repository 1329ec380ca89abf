#include "plait/metrics/mse.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/fixtures.hpp"

using Catch::Matchers::WithinAbs;
using plait::MeanSquaredError;

TEST_CASE("mean squared error has the worked values") {
  const auto json = fixtures::load("E_metrics");
  const auto& example = json.at("mse_example");
  MeanSquaredError mse;
  for (std::size_t i = 0; i < 2; ++i)
    mse.add(example.at("pred").at(i).get<double>(), example.at("target").at(i).get<double>());
  CHECK_THAT(mse.value(), WithinAbs(example.at("mse").get<double>(), 1e-10));

  MeanSquaredError brier;  // the squared error of probabilities
  for (std::size_t i = 0; i < json.at("score").size(); ++i)
    brier.add(json.at("score").at(i).get<double>(), json.at("label").at(i).get<double>());
  CHECK_THAT(brier.value(), WithinAbs(json.at("brier").get<double>(), 1e-10));
}

TEST_CASE("mean squared error is weighted, merges, and is NaN without samples") {
  MeanSquaredError mse, other;
  CHECK(std::isnan(mse.value()));
  mse.add(100, 0, 0);
  CHECK(std::isnan(mse.value()));
  mse.add(1, 3, 3);
  other.add(2, 1);
  mse.merge(other);
  CHECK(mse.value() == (3 * 4 + 1) / 4.0);
}
