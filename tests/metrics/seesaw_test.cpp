#include "plait/metrics/seesaw.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"

using Catch::Matchers::WithinAbs;
using plait::Better;
using plait::MetricValue;
using plait::Verdict;

namespace {

using Runs = std::vector<std::vector<MetricValue>>;

// An AUC, an MSE and a calibration per seed.
Runs runs(const std::vector<double>& auc, const std::vector<double>& mse,
          const std::vector<double>& calibration) {
  Runs result;
  for (std::size_t i = 0; i < auc.size(); ++i)
    result.push_back({{"click", "auc", auc[i], Better::higher},
                      {"watch", "mse", mse[i], Better::lower},
                      {"click", "calibration", calibration[i], Better::closer_to_one}});
  return result;
}

const Runs single = runs({0.70, 0.71, 0.69}, {1.0, 1.1, 0.9}, {1.2, 1.2, 1.2});
const Runs multi = runs({0.72, 0.74, 0.71}, {1.2, 1.3, 1.1}, {1.1, 1.3, 0.82});

}  // namespace

TEST_CASE("a seesaw: who gained and who lost beyond the spread of the seeds") {
  const auto report = plait::seesaw_report(multi, single);
  REQUIRE(report.gains.size() == 3);
  CHECK(report.seeds == 3);
  const auto& click = report.gains[0];
  CHECK(click.task == "click");
  CHECK(click.metric == "auc");
  CHECK_THAT(click.single, WithinAbs(0.70, 1e-15));
  CHECK_THAT(click.multi, WithinAbs(2.17 / 3, 1e-15));
  CHECK_THAT(click.gain, WithinAbs(0.07 / 3, 1e-15));
  CHECK_THAT(click.spread, WithinAbs(0.01 / std::sqrt(3.0), 1e-12));  // of 0.02, 0.03, 0.02
  CHECK(click.verdict == Verdict::gained);
  CHECK_THAT(report.gains[1].gain, WithinAbs(-0.2, 1e-14));  // lower is better
  CHECK(report.gains[1].verdict == Verdict::lost);
  CHECK_THAT(report.gains[2].gain, WithinAbs(0.02 / 3, 1e-14));  // 0.1, -0.1, 0.02
  CHECK(report.gains[2].verdict == Verdict::unclear);
  CHECK(report.count(Verdict::gained) == 1);
  CHECK(report.seesaws());

  double delta = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double of_seed[] = {multi[i][0].value / single[i][0].value - 1,
                              1 - multi[i][1].value / single[i][1].value,
                              1 - std::abs(multi[i][2].value - 1) / 0.2};
    delta += (of_seed[0] + of_seed[1] + of_seed[2]) / 9;
  }
  CHECK_THAT(report.relative_gain, WithinAbs(delta, 1e-14));
}

TEST_CASE("the report as text") {
  CHECK(plait::seesaw_report(multi, single).text() ==
        "task   metric           single       multi        gain      spread  verdict\n"
        "click  auc              0.7000      0.7233     +0.0233      0.0058  gained\n"
        "watch  mse              1.0000      1.2000     -0.2000      0.0000  lost\n"
        "click  calibration      1.2000      1.0733     +0.0067      0.1007  unclear\n"
        "gained 1, lost 1, unclear 1: a seesaw; relative gain -4.4914 % (spread 16.1800 %), "
        "3 seeds\n");
}

TEST_CASE("how many standard errors it takes is the caller's choice") {
  // The mean of 0.02, 0.03, 0.02 is 7 standard errors from 0.
  CHECK(plait::seesaw_report(multi, single, 6.9).gains[0].verdict == Verdict::gained);
  CHECK(plait::seesaw_report(multi, single, 7.1).gains[0].verdict == Verdict::unclear);
}

TEST_CASE("one seed tells nothing apart from luck") {
  const Runs one_multi{multi[0]}, one_single{single[0]};
  const auto report = plait::seesaw_report(one_multi, one_single);
  CHECK_THAT(report.gains[0].gain, WithinAbs(0.02, 1e-15));
  CHECK(std::isnan(report.gains[0].spread));
  CHECK(report.count(Verdict::unclear) == 3);
  CHECK_FALSE(report.seesaws());
}

TEST_CASE("a metric that is undefined in a run is unclear and left out of the relative gain") {
  Runs without = multi;
  without[1][1].value = std::numeric_limits<double>::quiet_NaN();
  const auto report = plait::seesaw_report(without, single);
  CHECK(report.gains[1].verdict == Verdict::unclear);
  CHECK(std::isfinite(report.relative_gain));
  CHECK(report.relative_gain > plait::seesaw_report(multi, single).relative_gain);
}

TEST_CASE("runs that do not compare are refused") {
  const Runs two(multi.begin(), multi.begin() + 2);
  CHECK_THROWS_WITH(plait::seesaw_report(two, single),
                    "plait::seesaw_report: multi, single: got 2 and 3 runs, expected as many of "
                    "each, at least one");
  CHECK_THROWS_AS(plait::seesaw_report({}, {}), plait::ShapeError);
  Runs other = single;
  other[2][0].name = "gauc";
  CHECK_THROWS_WITH(plait::seesaw_report(multi, other),
                    "plait::seesaw_report: run 2: got other metrics, expected those of the first "
                    "run");
}

TEST_CASE("the first metric of each task stands for it") {
  const std::vector<MetricValue> all{{"a", "auc", 1, Better::higher},
                                     {"a", "log_loss", 2, Better::lower},
                                     {"b", "mse", 3, Better::lower}};
  const auto first = plait::first_of_each_task(all);
  REQUIRE(first.size() == 2);
  CHECK(first[0].name == "auc");
  CHECK(first[1].task == "b");
}
