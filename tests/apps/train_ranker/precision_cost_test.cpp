#include "precision_cost.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "plait/architectures/shared_bottom.hpp"
#include "plait/model/model.hpp"
#include "plait/serve/scorer.hpp"
#include "support/catch.hpp"

namespace {

using plait::Index;
using ranker::Dataset;
using ranker::TaskCost;

const std::string first = "mtl_arch.bottom_projection.mlp_net.0.weight";
const std::string second = "mtl_arch.bottom_projection.mlp_net.2.weight";

// A binary and a regression task; inputs are eighths, which bf16 holds as they are.
Dataset dataset() {
  Dataset data;
  data.heads = {{.name = "click"}, {.kind = plait::HeadKind::regression, .name = "dwell"}};
  data.features.dense.resize(60, 3);
  data.features.hot.resize(60, 0);
  data.labels.resize(60, 2);
  for (Index row = 0; row < 60; ++row) {
    for (Index i = 0; i < 3; ++i)
      data.features.dense(row, i) = static_cast<float>((7 + 5 * i) * row % 17 - 8) / 8;
    data.labels(row, 0) = row * row % 7 < 2 ? 1.0f : 0.0f;
    data.labels(row, 1) = static_cast<float>(row % 5) - 1;
    if (row % 3 != 0) data.test.push_back(row);
  }
  return data;
}

plait::Model<float> tiny_model() {
  return plait::Model<float>(
      plait::SharedBottom{.input_dim = 3, .num_tasks = 2, .expert = plait::Body({8, 6})},
      {.hidden = {plait::Body({4})}}, 7);
}

// Of the test rows, straight from the definitions.
std::vector<TaskCost> measured(const plait::Model<float>& model, plait::ScorerOptions options) {
  const Dataset data = dataset();
  const plait::Scorer<float> scorer(model, std::move(options));
  auto context = scorer.context();
  std::vector<std::vector<double>> z;
  std::vector<std::vector<double>> y;
  for (const Index row : data.test) {
    plait::Matrix<float> x = data.features.dense.row(row);
    plait::Matrix<float> logits(1, 2);
    context.score(x, logits);
    z.push_back({logits(0, 0), logits(0, 1)});
    y.push_back({data.labels(row, 0), data.labels(row, 1)});
  }
  const auto rows = static_cast<double>(z.size());
  double positives = 0, log_loss = 0, predicted = 0, squares = 0, ordered = 0;
  for (std::size_t b = 0; b < z.size(); ++b) {
    const double p = 1 / (1 + std::exp(-z[b][0]));
    positives += y[b][0];
    predicted += p;
    log_loss -= std::log(y[b][0] == 1 ? p : 1 - p);
    squares += (z[b][1] - y[b][1]) * (z[b][1] - y[b][1]);
    for (std::size_t other = 0; other < z.size(); ++other)
      if (y[b][0] == 1 && y[other][0] == 0)
        ordered += z[b][0] > z[other][0] ? 1 : z[b][0] == z[other][0] ? 0.5 : 0;
  }
  const double rate = positives / rows;
  const double entropy = -rate * std::log(rate) - (1 - rate) * std::log(1 - rate);
  std::vector<TaskCost> costs(2);
  costs[0].loss = log_loss / rows / entropy;
  costs[0].auc = ordered / positives / (rows - positives);
  costs[0].calibration = predicted / positives;
  costs[1].loss = squares / rows;
  return costs;
}

// The upper half of the float, to the nearest, ties to even.
float rounded(float value) {
  auto bits = std::bit_cast<std::uint32_t>(value);
  bits += 0x7fff + (bits >> 16 & 1);
  return std::bit_cast<float>(bits & 0xffff0000);
}

double percent(double from, double to) { return 100 * (to / from - 1); }

void require_equal(const std::vector<TaskCost>& costs, const std::vector<TaskCost>& full,
                   const std::vector<TaskCost>& reduced) {
  REQUIRE(costs.size() == 2);
  for (std::size_t t = 0; t < 2; ++t) {
    CHECK(costs[t].loss == Approx(full[t].loss).epsilon(1e-9));
    CHECK(costs[t].loss_change == Approx(percent(full[t].loss, reduced[t].loss)).epsilon(1e-6));
  }
  CHECK(costs[0].auc == Approx(full[0].auc).epsilon(1e-12));
  CHECK(costs[0].auc_change == Approx(reduced[0].auc - full[0].auc).margin(1e-12));
  CHECK(costs[0].calibration == Approx(full[0].calibration).epsilon(1e-9));
  CHECK(costs[0].calibration_change ==
        Approx(percent(full[0].calibration, reduced[0].calibration)).epsilon(1e-6));
  CHECK(std::isnan(costs[1].auc));
  CHECK(std::isnan(costs[1].auc_change));
  CHECK(std::isnan(costs[1].calibration_change));
}

}  // namespace

TEST_CASE("precision cost: what a direct computation finds") {
  const auto model = tiny_model();
  const Dataset data = dataset();
  const ranker::PrecisionTrial trial(model, data, data.test);
  const auto full = measured(model, {});
  const std::vector<std::vector<std::string>> keeps{{}, {first}, {second}, {first, second}};
  for (const auto& keep : keeps)
    require_equal(trial.costs(keep), full,
                  measured(model, {.precision = plait::Precision::bf16, .keep = keep}));
  CHECK(ranker::largest_change(trial.costs()) > 0);
}

TEST_CASE("precision cost: of one weight it is that of the weight rounded") {
  const auto model = tiny_model();
  const Dataset data = dataset();
  auto of_rounded = model;
  for (float& w : of_rounded.values_of(first)) w = rounded(w);
  const auto costs = ranker::weight_costs(ranker::PrecisionTrial(model, data, data.test));
  const auto found = std::ranges::find(costs, first, &ranker::WeightCost::name);
  REQUIRE(found != costs.end());
  require_equal(found->tasks, measured(model, {}), measured(of_rounded, {}));
}

TEST_CASE("precision cost: every weight of a hidden layer or expert, the largest change first") {
  const auto model = tiny_model();
  const Dataset data = dataset();
  const ranker::PrecisionTrial trial(model, data, data.test);
  auto names = trial.weights();
  CHECK(names == std::vector<std::string>{first, second, "task_modules.0.0.mlp_net.0.weight",
                                          "task_modules.1.0.mlp_net.0.weight"});
  const auto costs = ranker::weight_costs(trial);
  REQUIRE(costs.size() == names.size());
  for (std::size_t i = 0; i < costs.size(); ++i) {
    std::erase(names, costs[i].name);
    if (i > 0)
      CHECK(ranker::largest_change(costs[i].tasks) <= ranker::largest_change(costs[i - 1].tasks));
  }
  CHECK(names.empty());
  // A tower is its task's alone.
  for (const auto& cost : costs)
    if (cost.name.starts_with("task_modules.0")) CHECK(cost.tasks[1].loss_change == 0);
}

TEST_CASE("precision cost: no more weights are kept than it takes") {
  const auto model = tiny_model();
  const Dataset data = dataset();
  const ranker::PrecisionTrial trial(model, data, data.test);
  const auto weights = ranker::weight_costs(trial);
  std::vector<std::string> names;
  for (const auto& weight : weights) names.push_back(weight.name);

  const double all = ranker::largest_change(trial.costs());
  CHECK(ranker::keep_within(trial, weights, all).names.empty());
  const auto none = ranker::keep_within(trial, weights, 0);
  CHECK(none.names == names);
  CHECK(ranker::largest_change(none.tasks) == 0);

  for (const double share : {0.9, 0.5, 0.2, 0.05}) {
    const double bound = share * all;
    const auto keep = ranker::keep_within(trial, weights, bound);
    CHECK(keep.bound == bound);
    CHECK(ranker::largest_change(keep.tasks) <= bound);
    REQUIRE(!keep.names.empty());
    CHECK(std::equal(keep.names.begin(), keep.names.end(), names.begin()));
    auto fewer = keep.names;
    fewer.pop_back();
    CHECK(ranker::largest_change(trial.costs(fewer)) > bound);
  }
}

TEST_CASE("precision cost: a task without an NE bounds nothing") {
  const auto model = tiny_model();
  Dataset data = dataset();
  data.labels.col(0).setZero();
  const ranker::PrecisionTrial trial(model, data, data.test);
  const auto costs = trial.costs();
  CHECK(std::isnan(costs[0].loss_change));
  CHECK(ranker::largest_change(costs) == std::abs(costs[1].loss_change));
  CHECK(ranker::keep_within(trial, ranker::weight_costs(trial), 100).names.empty());
}
