#include "plait/metrics/calibration_curve.hpp"

#include <cmath>
#include <vector>

#include "plait/core/random.hpp"
#include "support/catch.hpp"

using Catch::Matchers::WithinAbs;
using plait::CalibrationBin;
using plait::CalibrationCurve;
using plait::Index;

TEST_CASE("bins of equal width have the means of their samples") {
  CalibrationCurve curve;
  curve.add(0.1, 0);
  curve.add(0.2, 1, 3);
  curve.add(0.5, 1);  // the lower end belongs to the bin
  curve.add(0.6, 0.5);
  curve.add(1, 1);
  curve.add(0.9, 0, 0);  // counts nothing
  const auto bins = curve.equal_width(4);
  REQUIRE(bins.size() == 3);  // none in [0.25, 0.5)
  CHECK_THAT(bins[0].predicted, WithinAbs(0.7 / 4, 1e-15));
  CHECK(bins[0].observed == 0.75);
  CHECK(bins[0].weight == 4);
  CHECK_THAT(bins[1].predicted, WithinAbs(0.55, 1e-15));
  CHECK(bins[1].observed == 0.75);
  CHECK(bins[2].predicted == 1);
  CHECK(bins[2].weight == 1);

  CHECK_THAT(plait::expected_calibration_error(bins),
             WithinAbs((4 * 0.575 + 2 * 0.2 + 0) / 7, 1e-15));
  CHECK_THAT(plait::largest_calibration_error(bins), WithinAbs(0.575, 1e-15));
}

TEST_CASE("the lower end of every bin of equal width belongs to it, the number below does not") {
  for (Index count = 1; count <= 300; ++count)
    for (Index i = 1; i < count; ++i) {
      const double end = double(i) / double(count);
      CAPTURE(i, count);
      CalibrationCurve curve;
      curve.add((double(i) + 0.5) / double(count), 1);  // in the bin
      curve.add(end, 0);
      const auto bins = curve.equal_width(count);
      REQUIRE(bins.size() == 1);
      CHECK(bins[0].weight == 2);
      CalibrationCurve below;
      below.add(end, 0);
      below.add(std::nextafter(end, 0), 1);
      CHECK(below.equal_width(count).size() == 2);
    }
  CalibrationCurve ends;
  ends.add(0, 1);
  ends.add(1, 1);
  ends.add(std::nextafter(1.0, 0), 1);
  for (const Index count : {2, 3, 49, 1000}) CHECK(ends.equal_width(count).size() == 2);
}

TEST_CASE("bins of equal weight part where a sample's middle is exactly an end") {
  for (Index n = 3; n <= 100; ++n)
    for (Index k = 1; k + 2 <= n; ++k) {
      CAPTURE(n, k);
      // Of a weight of n in all; the third middle is k + 1/2, the end of a bin, the second 1/4
      // less.
      CalibrationCurve curve;
      curve.add(0.1, 1, double(k) + 0.125);
      curve.add(0.2, 1, 0.25);
      curve.add(0.3, 1, 0.25);
      curve.add(0.4, 1, double(n - k) - 0.625);
      CHECK(curve.equal_weight(2 * n).size() == 4);
    }
}

TEST_CASE("bins of equal weight divide rare events, and keep equal predictions together") {
  CalibrationCurve curve;
  for (int i = 0; i < 100; ++i) curve.add(0.001 * (i + 1), i % 10 == 0 ? 1 : 0);
  REQUIRE(curve.equal_width(10).size() == 2);
  const auto bins = curve.equal_weight(10);
  REQUIRE(bins.size() == 10);
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(bins[i].weight == 10);
    CHECK_THAT(bins[i].observed, WithinAbs(0.1, 1e-15));
    CHECK_THAT(bins[i].predicted, WithinAbs(0.01 * double(i) + 0.0055, 1e-15));
  }

  CalibrationCurve tied;
  for (int i = 0; i < 10; ++i) tied.add(0.25, i < 3 ? 1 : 0);
  const auto one = tied.equal_weight(5);
  REQUIRE(one.size() == 1);
  CHECK(one[0].observed == 0.3);
  CHECK(one[0].predicted == 0.25);
}

TEST_CASE("whatever the bins, their weighted means are those of all samples") {
  plait::Random random(3);
  CalibrationCurve curve, first, second;
  double predicted = 0, observed = 0, weight = 0;
  for (int i = 0; i < 500; ++i) {
    const double p = random.uniform(), y = double(random.below(2)), w = random.uniform();
    curve.add(p, y, w);
    (i < 123 ? first : second).add(p, y, w);
    predicted += w * p;
    observed += w * y;
    weight += w;
  }
  first.merge(second);
  for (const Index count : {1, 7, 100}) {
    for (const auto& bins : {curve.equal_width(count), curve.equal_weight(count)}) {
      double p = 0, y = 0, w = 0, last = -1;
      for (const CalibrationBin& bin : bins) {
        p += bin.weight * bin.predicted;
        y += bin.weight * bin.observed;
        w += bin.weight;
        CHECK(bin.predicted > last);
        last = bin.predicted;
      }
      CHECK_THAT(p, WithinAbs(predicted, 1e-11));
      CHECK_THAT(y, WithinAbs(observed, 1e-11));
      CHECK_THAT(w, WithinAbs(weight, 1e-11));
    }
    CHECK(plait::expected_calibration_error(first.equal_weight(count)) ==
          plait::expected_calibration_error(curve.equal_weight(count)));
  }
}

TEST_CASE("an empty curve has no bins and no error") {
  const CalibrationCurve curve;
  CHECK(curve.equal_width(5).empty());
  CHECK(std::isnan(plait::expected_calibration_error({})));
  CHECK(std::isnan(plait::largest_calibration_error({})));
}

TEST_CASE("a curve refuses what is no probability, and no bins") {
  CalibrationCurve curve;
  CHECK_THROWS_WITH(curve.add(1.5, 1),
                    "plait::CalibrationCurve: probability: got 1.5, expected a number in [0, 1]");
  CHECK_THROWS_AS(curve.add(std::nan(""), 1), plait::ValueError);
  CHECK(curve.equal_width(1).empty());
  CHECK_THROWS_WITH(curve.equal_width(0),
                    "plait::CalibrationCurve: count: got 0, expected at least 1");
  CHECK_THROWS_AS(curve.equal_weight(0), plait::ConfigError);
}
