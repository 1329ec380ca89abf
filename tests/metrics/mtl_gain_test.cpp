#include "plait/metrics/mtl_gain.hpp"

#include <cmath>
#include <vector>

#include "support/catch.hpp"
#include "support/fixtures.hpp"

using Catch::Matchers::Message;
using Catch::Matchers::WithinAbs;
using plait::Better;
using plait::delta_m;
using plait::mtl_gain;

TEST_CASE("the gain of PLE has the worked values, positive for better") {
  const auto json = fixtures::load("E_metrics").at("mtl_gain_PLE(absolute)");
  const auto at = [&](const char* model, const char* metric) {
    return json.at(model).at(metric).get<double>();
  };
  CHECK_THAT(mtl_gain(at("mtl", "AUC"), at("single", "AUC"), Better::higher),
             WithinAbs(at("gain", "AUC"), 1e-10));
  CHECK_THAT(mtl_gain(at("mtl", "MSE"), at("single", "MSE"), Better::lower),
             WithinAbs(at("gain", "MSE"), 1e-10));
  CHECK_THAT(mtl_gain(0.95, 1.2, Better::closer_to_one), WithinAbs(0.15, 1e-14));
}

TEST_CASE("the relative gain has the worked values") {
  const auto json = fixtures::load("E_metrics");
  const auto& example = json.at("delta_m_relative(Maninis; higher is better)");
  std::vector<Better> better;
  for (const bool lower : example.at("lower_is_better"))
    better.push_back(lower ? Better::lower : Better::higher);
  const auto multi = example.at("new").get<std::vector<double>>();
  const auto single = example.at("base").get<std::vector<double>>();
  CHECK_THAT(delta_m(multi, single, better), WithinAbs(example.at("delta_m").get<double>(), 1e-10));

  // A relative difference in percent as AdaTT's tables print it is -100 times this.
  const auto& ne = json.at("relative_NE_diff_percent_example");
  CHECK_THAT(
      -100 * delta_m(std::vector{ne.at("NE_new").get<double>()},
                     std::vector{ne.at("NE_base").get<double>()}, std::vector{Better::lower}),
      WithinAbs(ne.at("diff%").get<double>(), 1e-10));

  CHECK_THAT(delta_m(std::vector{0.95}, std::vector{1.2}, std::vector{Better::closer_to_one}),
             WithinAbs(0.75, 1e-14));
  CHECK(std::isnan(delta_m({}, {}, {})));
}

TEST_CASE("the relative gain refuses lists of different sizes") {
  CHECK_THROWS_MATCHES(
      delta_m(std::vector{1.0}, std::vector{1.0, 2.0}, std::vector{Better::lower}),
      plait::ShapeError,
      Message("plait::delta_m: multi, single, better: got 1, 2 and 1 entries, expected as many of "
              "each"));
}
