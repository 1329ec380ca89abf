#include "plait/metrics/calibration.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/fixtures.hpp"

using Catch::Matchers::WithinAbs;
using plait::Calibration;

TEST_CASE("calibration has the worked value") {
  const auto json = fixtures::load("E_metrics");
  Calibration calibration;
  for (std::size_t i = 0; i < json.at("score").size(); ++i)
    calibration.add(json.at("score").at(i).get<double>(), json.at("label").at(i).get<double>());
  CHECK_THAT(calibration.value(),
             WithinAbs(json.at("calibration_sum_pred_over_sum_label").get<double>(), 1e-10));
}

TEST_CASE("calibration is weighted, merges, and is NaN without positives") {
  Calibration calibration, other;
  CHECK(std::isnan(calibration.value()));
  calibration.add(0.5, 0, 2);
  CHECK(std::isnan(calibration.value()));
  other.add(0.25, 1, 4);
  calibration.merge(other);
  CHECK(calibration.value() == 0.5);
}
