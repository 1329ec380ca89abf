#include "expert_maps.hpp"

#include <limits>
#include <map>
#include <string_view>

#include "support/catch.hpp"
#include "trainee.hpp"

namespace {

using plait::Index;
using ranker::Owners;
using Names = std::vector<std::string>;

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

const std::vector<plait::Head> heads{{.name = "click"}, {.name = "buy"}};

plait::LevelReport level(Index units, Index experts, bool gated, double statics) {
  plait::LevelReport result;
  result.gate_weights.setConstant(units, experts, gated ? 1.0 / static_cast<double>(experts) : 0);
  result.static_weights.setConstant(units, experts, statics);
  result.entropy.setConstant(units, gated ? 0.5 : undefined);
  result.output_rms.setOnes(experts);
  return result;
}

}  // namespace

TEST_CASE("expert_maps: experts are named by their owners") {
  const plait::ExpertReport report{.rows = 1,
                                   .levels = {level(3, 5, true, 0.25), level(2, 5, true, 0)}};
  const auto maps = ranker::expert_maps(report, Owners::tasks_and_shared, 1, heads);
  REQUIRE(maps.size() == 2);
  CHECK(maps[0].level == 1);
  CHECK(maps[0].experts == Names{"click 1", "click 2", "buy 1", "buy 2", "shared"});
  CHECK(maps[0].units == Names{"click", "buy", "shared"});
  CHECK(maps[1].units == Names{"click", "buy"});
  CHECK(maps[0].gates == report.levels[0].gate_weights);
  CHECK(maps[0].statics == report.levels[0].static_weights);
  CHECK(maps[1].statics.size() == 0);
}

TEST_CASE("expert_maps: of experts without owners, those of the next level read the units") {
  const plait::ExpertReport report{.rows = 1,
                                   .levels = {level(3, 3, true, 0), level(2, 3, true, 0)}};
  const auto maps = ranker::expert_maps(report, Owners::nobody, 2, heads);
  CHECK(maps[0].units == Names{"to expert 1", "to expert 2", "to expert 3"});
  CHECK(maps[1].units == Names{"click", "buy"});
  CHECK(maps[1].experts == Names{"expert 1", "expert 2", "expert 3"});
}

TEST_CASE("expert_maps: levels without a choice are left out") {
  plait::LevelReport diagonal = level(2, 2, false, 0);
  diagonal.static_weights.setIdentity();
  const plait::ExpertReport report{
      .rows = 1, .levels = {diagonal, level(2, 1, false, 1), level(2, 2, false, 0.5)}};
  const auto maps = ranker::expert_maps(report, Owners::tasks, 3, heads);
  REQUIRE(maps.size() == 1);  // a stitch; the others add one expert to each unit
  CHECK(maps[0].level == 3);
  CHECK(maps[0].gates.size() == 0);
  CHECK(maps[0].experts == Names{"click", "buy"});
}

TEST_CASE("expert_maps: of what is drawn, by level and by block") {
  plait::LevelReport chosen = level(2, 2, false, 0);
  chosen.static_weights.setIdentity();
  const plait::ExpertReport report{.rows = 1, .levels = {chosen, chosen}};
  plait::DrawnRoutes drawn;
  drawn.levels = {plait::Matrix<double>::Constant(2, 2, 0.25),
                  plait::Matrix<double>::Constant(2, 2, 0.75)};
  const auto maps = ranker::expert_maps(report, Owners::nobody, 0, heads, drawn);
  REQUIRE(maps.size() == 2);  // not left out, though every unit takes one expert
  for (std::size_t l = 0; l < 2; ++l) CHECK(maps[l].drawn == drawn.levels[l]);
  CHECK(maps[0].statics == chosen.static_weights);
  CHECK(maps[0].units == Names{"to expert 1", "to expert 2"});
  CHECK(maps[1].units == Names{"click", "buy"});

  drawn.levels.clear();
  drawn.blocks.setConstant(2, 3, 0.5);
  const auto blocks = ranker::expert_maps(report, Owners::nobody, 0, heads, drawn);
  REQUIRE(blocks.size() == 1);
  CHECK(blocks[0].level == 0);
  CHECK(blocks[0].units == Names{"click", "buy"});
  CHECK(blocks[0].experts == Names{"block 1", "block 2", "block 3"});
  CHECK(blocks[0].drawn == drawn.blocks);
}

TEST_CASE("expert_maps: every model's levels fit its names") {
  ranker::TraineeOptions config;
  config.input_dim = 4;
  config.heads = heads;
  config.sizes.levels = {6, 5};
  config.sizes.towers = {3};
  config.sizes.experts = 4;
  config.sizes.shared_experts = 2;
  ranker::Dataset data;
  data.features.dense = plait::Matrix<float>::Random(9, 4);
  data.features.hot.resize(9, 0);
  data.labels.resize(9, 0);
  const std::vector<Index> rows{0, 2, 3, 8};
  const std::map<std::string_view, std::size_t> levels{
      {"cross-stitch", 2}, {"mmoe", 1},   {"ml-mmoe", 2}, {"cgc", 1},           {"ple", 2},
      {"adatt-sp", 2},     {"adatt", 2},  {"sluice", 2},  {"soft-ordering", 2}, {"snr-trans", 2},
      {"snr-aver", 2},     {"branch", 1}, {"adashare", 1}};
  for (const auto& model : ranker::models()) {
    INFO(std::string(model.name));
    const ranker::Trainee trainee(model, config);
    const auto report = ranker::watch_experts(trainee.model, data, rows);
    CHECK(report.rows == 4);
    const auto maps =
        ranker::expert_maps(report, model.owners, config.sizes.shared_experts, heads,
                            trainee.model.trunk().drawn_routes(trainee.model.values()));
    const auto expected = levels.find(model.name);
    CHECK(maps.size() == (expected == levels.end() ? 0 : expected->second));
    for (const auto& map : maps) {
      const bool draws =
          model.name == "branch" || model.name == "adashare" || model.name.starts_with("snr-");
      CHECK((map.drawn.size() > 0) == draws);
      for (const auto* weights : {&map.gates, &map.statics, &map.drawn}) {
        if (weights->size() == 0) continue;
        CHECK(weights->rows() == std::ssize(map.units));
        CHECK(weights->cols() == std::ssize(map.experts));
      }
      // A task's native experts are those named after it.
      if (model.name != "adatt" && model.name != "adatt-sp") continue;
      for (Index u = 0; u < map.statics.rows(); ++u)
        for (Index e = 0; e < map.statics.cols(); ++e)
          CHECK((map.statics(u, e) != 0) == map.experts[static_cast<std::size_t>(e)].starts_with(
                                                map.units[static_cast<std::size_t>(u)]));
    }
  }
}
