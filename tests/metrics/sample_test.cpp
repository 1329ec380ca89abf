// The rule of metrics/sample.hpp, on every metric.
#include "plait/metrics/sample.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "plait/core/view.hpp"
#include "plait/metrics/auc.hpp"
#include "plait/metrics/calibration.hpp"
#include "plait/metrics/calibration_curve.hpp"
#include "plait/metrics/gauc.hpp"
#include "plait/metrics/log_loss.hpp"
#include "plait/metrics/mse.hpp"
#include "plait/metrics/pair_accuracy.hpp"
#include "plait/metrics/weighted_mean.hpp"
#include "support/catch.hpp"

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

using Add = std::function<void(double prediction, double label, double weight)>;
using Value = std::function<double()>;

// Calls f(name, add, value, least label, most label) with an empty accumulator of every metric.
template <class F>
void for_each_metric(const F& f) {
  constexpr double most = std::numeric_limits<double>::max();
  plait::AUC auc;
  f(
      "AUC", [&](double p, double y, double w) { auc.add(p, y, w); }, [&] { return auc.value(); },
      0, 1);
  plait::GAUC gauc;
  f(
      "GAUC", [&](double p, double y, double w) { gauc.add(3, p, y, w); },
      [&] { return gauc.value(); }, 0, 1);
  plait::LogLoss logits;
  f(
      "LogLoss", [&](double p, double y, double w) { logits.add_logit(p, y, w); },
      [&] { return logits.normalized_entropy(); }, 0, 1);
  plait::LogLoss loss;
  f(
      "LogLoss", [&](double p, double y, double w) { loss.add_probability(p, y, w); },
      [&] { return loss.value(); }, 0, 1);
  plait::Calibration calibration;
  f(
      "Calibration", [&](double p, double y, double w) { calibration.add(p, y, w); },
      [&] { return calibration.value(); }, 0, most);
  plait::MeanSquaredError mse;
  f(
      "MeanSquaredError", [&](double p, double y, double w) { mse.add(p, y, w); },
      [&] { return mse.value(); }, -most, most);
  plait::CalibrationCurve curve;
  f(
      "CalibrationCurve", [&](double p, double y, double w) { curve.add(p, y, w); },
      [&] { return plait::expected_calibration_error(curve.equal_width(4)); }, 0, 1);
  // A group of the row and two others.
  plait::PairAccuracy pairs;
  f(
      "PairAccuracy",
      [&](double p, double y, double w) {
        plait::Matrix<double> z(3, 1), labels(3, 1), weights(3, 1);
        z << 0.4, 0.6, p;
        labels << 1, 0, y;
        weights << 1, 1, w;
        pairs.add(plait::GroupRows<double>{z, labels, {.weights = weights}});
      },
      [&] { return pairs.value(); }, -most, most);
}

// Something that every metric has a value for.
void add_some(const Add& add) {
  add(0.3, 0, 1);
  add(0.8, 1, 2);
  add(0.6, 0, 0.5);
}

}  // namespace

TEST_CASE("in every metric a sample of weight 0 counts nothing, not even as NaN") {
  for_each_metric([](const char* name, const Add& add, const Value& value, double, double) {
    CAPTURE(name);
    add_some(add);
    const double before = value();
    REQUIRE(std::isfinite(before));
    if (name == std::string("PairAccuracy")) return;  // adds the rows beside it, too: below
    for (const double prediction : {0.5, missing, infinity, -infinity, 7.0})
      for (const double label : {0.0, 1.0, 2.0, -1.0, missing, infinity}) {
        add(prediction, label, 0);
        CHECK(value() == before);
      }
  });
  plait::Matrix<double> z(3, 1), y(3, 1), w(3, 1);
  z << 1, 2, missing;
  y << 0, 1, missing;
  w << 1, 1, 0;
  plait::PairAccuracy pairs;
  pairs.add(plait::GroupRows<double>{z, y, {.weights = w}});
  CHECK(pairs.value() == 1);
  plait::WeightedMean mean;
  mean.add(2, 3);
  mean.add(missing, 0);
  mean.add(infinity, 0);
  CHECK(mean.value() == 2);
}

TEST_CASE("every metric refuses labels outside of its domain and weights that are none") {
  for_each_metric(
      [](const char* name, const Add& add, const Value& value, double least, double most) {
        CAPTURE(name);
        add_some(add);
        const double before = value();
        for (const double label : {missing, infinity, -infinity, 2.0, -0.5, 1 + 1e-12}) {
          CAPTURE(label);
          if (label >= least && label <= most) continue;
          CHECK_THROWS_AS(add(0.5, label, 1), plait::ValueError);
          CHECK(value() == before);
        }
        for (const double weight : {missing, infinity, -1.0, -1e-300}) {
          CAPTURE(weight);
          CHECK_THROWS_AS(add(0.5, 1, weight), plait::ValueError);
          CHECK(value() == before);
        }
      });
  plait::AUC auc;
  CHECK_THROWS_WITH(auc.add(1, 2), "plait::AUC: label: got 2, expected a number in [0, 1]");
  CHECK_THROWS_WITH(auc.add(1, 1, -1),
                    "plait::AUC: weight: got -1, expected a finite number of at least 0");
  plait::MeanSquaredError mse;
  CHECK_THROWS_WITH(mse.add(1, missing),
                    "plait::MeanSquaredError: label: got nan, expected a finite number");
  plait::Calibration calibration;
  CHECK_THROWS_WITH(calibration.add(0.5, -1),
                    "plait::Calibration: label: got -1, expected a finite number of at least 0");
  plait::LogLoss loss;
  for (const double probability : {-0.1, 1.5, infinity})
    CHECK_THROWS_AS(loss.add_probability(probability, 1), plait::ValueError);
  CHECK(std::isnan(loss.value()));
  plait::WeightedMean mean;
  CHECK_THROWS_AS(mean.add(1, -2), plait::ValueError);
}

TEST_CASE("in every metric a prediction of NaN that counts is told") {
  for_each_metric([](const char* name, const Add& add, const Value& value, double, double) {
    CAPTURE(name);
    add_some(add);
    if (name == std::string("CalibrationCurve")) {
      CHECK_THROWS_AS(add(missing, 1, 1), plait::ValueError);
    } else {
      add(missing, 1, 1);
      CHECK(std::isnan(value()));
    }
  });
}

TEST_CASE("a pair of infinite scores is in order or tied, as in AUC") {
  plait::Matrix<double> z(2, 1), y(2, 1);
  y << 1, 0;
  for (const double a : {-infinity, 0.0, infinity})
    for (const double b : {-infinity, 0.0, infinity}) {
      z << a, b;
      plait::PairAccuracy pairs;
      pairs.add(plait::GroupRows<double>{z, y});
      plait::AUC auc;
      auc.add(a, 1);
      auc.add(b, 0);
      CHECK(pairs.value() == auc.value());
    }
}

TEST_CASE("pairs of weights beyond all numbers are refused as a whole") {
  plait::Matrix<double> z(3, 1), y(3, 1), w(3, 1);
  z << 3, 2, 1;
  y << 1, 0, 2;
  w << 1e200, 1, 1e200;
  plait::PairAccuracy pairs;
  CHECK_THROWS_AS(pairs.add(plait::GroupRows<double>{z, y, {.weights = w}}), plait::ValueError);
  CHECK(std::isnan(pairs.value()));
}
