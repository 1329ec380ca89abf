#include "plait/io/reports.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "plait/architectures/adatt.hpp"
#include "plait/inspect/expert_watch.hpp"
#include "plait/model/model.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using plait::Index;

namespace {

void check_numbers(const nlohmann::json& json, const plait::Vector<double>& numbers) {
  REQUIRE(json.size() == static_cast<std::size_t>(numbers.size()));
  for (Index i = 0; i < numbers.size(); ++i) {
    const auto& got = json[static_cast<std::size_t>(i)];
    if (std::isnan(numbers[i]))
      CHECK(got.is_null());
    else
      CHECK(got.get<double>() == numbers[i]);
  }
}
void check_numbers(const nlohmann::json& json, const plait::Matrix<double>& numbers) {
  REQUIRE(json.size() == static_cast<std::size_t>(numbers.rows()));
  for (Index i = 0; i < numbers.rows(); ++i)
    check_numbers(json[static_cast<std::size_t>(i)], plait::Vector<double>(numbers.row(i)));
}

}  // namespace

TEST_CASE("a report of experts reads back from its JSON, to the last bit") {
  const plait::Model<float> model(
      plait::AdaTT{.input_dim = 4, .num_tasks = 2, .levels = {{5}, {3}}}, {}, 1);
  plait::ExpertWatch watch(model);
  watch.add(data::normal<float>(50, 4, 2));
  auto report = watch.report();
  report.levels[1].entropy[0] = std::nan("");
  const auto json = nlohmann::json::parse(plait::to_json(report));
  CHECK(json.at("rows") == 50);
  REQUIRE(json.at("levels").size() == 2);
  for (std::size_t l = 0; l < 2; ++l) {
    const auto& got = json["levels"][l];
    CHECK(got.size() == 9);
    const plait::LevelReport& level = report.levels[l];
    check_numbers(got.at("gate_weights"), level.gate_weights);
    check_numbers(got.at("static_weights"), level.static_weights);
    check_numbers(got.at("top_share"), level.top_share);
    check_numbers(got.at("entropy"), level.entropy);
    check_numbers(got.at("relative_entropy"), level.relative_entropy);
    check_numbers(got.at("importance"), level.importance);
    check_numbers(got.at("load"), level.load);
    check_numbers(got.at("output_rms"), level.output_rms);
    check_numbers(got.at("similarity"), level.similarity);
  }
}

TEST_CASE("a report of cosines reads back from its JSON") {
  plait::GradientCosines watch(2);
  watch.add(Eigen::MatrixXd{{3, -1}, {-1, 0}});
  const auto report = watch.report();
  const auto json = nlohmann::json::parse(plait::to_json(report));
  CHECK(json.size() == 3);
  CHECK(json.at("steps") == 1);
  check_numbers(json.at("cosines"), plait::Matrix<double>(report.cosines));
  check_numbers(json.at("conflicts"), plait::Matrix<double>(report.conflicts));
}
