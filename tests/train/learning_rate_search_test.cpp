#include "plait/train/learning_rate_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "plait/architectures/mmoe.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/sgd.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;
using Catch::Matchers::WithinRel;

namespace {

Model<double> model() {
  return Model<double>(MMoE{.input_dim = 4, .num_tasks = 2, .num_experts = 3, .expert = {8}},
                       {.hidden = {{3}}}, 7);
}

// Labels that the inputs determine.
struct Data {
  Matrix<double> x = data::normal<double>(128, 4, 1);
  Matrix<double> labels = (x.leftCols(2).array() > 0).cast<double>();

  TrainingBatch<double> operator()(Index) const { return {x, {labels}}; }
};

}  // namespace

TEST_CASE("the rates rise from lowest to highest, and every loss is the one before its step") {
  const Data data;
  auto ranker = model();
  const LearningRateRange range{.lowest = 1e-4, .highest = 1e-1, .steps = 4, .smoothing = 0.5};
  const auto curve =
      search_learning_rate(ranker, data::binary_heads(2), SGD{.learning_rate = 3}, data, range);
  REQUIRE(curve.points().size() == 4);

  Trainer by_hand(ranker, data::binary_heads(2), SGD{.learning_rate = 1e-4},
                  {.optimizer = {.schedule = Schedule::step_decay(1, 10)}});
  double weighted = 0, weight = 0;
  for (int k = 0; k < 4; ++k) {
    const auto& point = curve.points()[std::size_t(k)];
    CHECK_THAT(point.learning_rate, WithinRel(1e-4 * std::pow(10, k), 1e-12));
    CHECK_THAT(point.loss, WithinRel(by_hand.step(data.x, data.labels), 1e-12));
    weighted = 0.5 * weighted + point.loss;
    weight = 0.5 * weight + 1;
    CHECK_THAT(point.smoothed, WithinRel(weighted / weight, 1e-12));
  }
}

TEST_CASE("the model stays as it is, and groups keep their ratio to the rule's rate") {
  const Data data;
  const auto ranker = model();
  const auto before = ranker.values();
  const LearningRateRange range{.lowest = 1e-3, .highest = 1e-1, .steps = 3, .smoothing = 0};
  const auto run = [&](double rate, double of_towers) {
    return search_learning_rate(
        ranker, data::binary_heads(2), SGD{.learning_rate = rate}, data, range,
        {.optimizer = {.groups = {{.pattern = "task_modules.*", .learning_rate = of_towers}}}});
  };
  const auto one = run(1, 2), scaled = run(0.25, 0.5), other = run(1, 1);
  CHECK(std::ranges::equal(ranker.values().flat(), before.flat()));
  for (std::size_t k = 0; k < 3; ++k)
    CHECK_THAT(one.points()[k].loss, WithinRel(scaled.points()[k].loss, 1e-12));
  CHECK(one.points()[2].loss != other.points()[2].loss);
}

TEST_CASE("a search that diverges ends there, and says where the loss fell fastest") {
  const Data data;
  const auto ranker = model();
  const LearningRateRange range{.lowest = 1e-4, .highest = 1e4, .steps = 200};
  const auto curve =
      search_learning_rate(ranker, data::binary_heads(2), SGD{.learning_rate = 1}, data, range);
  REQUIRE(curve.points().size() > 20);
  CHECK(curve.points().size() < 200);
  for (const auto& point : curve.points()) CHECK(std::isfinite(point.smoothed));
  CHECK(curve.points().back().smoothed > curve.points().front().smoothed);
  CHECK(curve.steepest_descent() < curve.lowest_loss());

  // At the suggested rate the model learns.
  auto trained = ranker;
  Trainer trainer(trained, data::binary_heads(2), SGD{.learning_rate = curve.steepest_descent()});
  const double first = trainer.step(data.x, data.labels);
  for (int i = 0; i < 300; ++i) trainer.step(data.x, data.labels);
  CHECK(trainer.step(data.x, data.labels) < 0.5 * first);
}

TEST_CASE("the curve's marks by hand") {
  const auto curve = [](const std::vector<double>& smoothed) {
    std::vector<LearningRatePoint> points;
    for (const double s : smoothed)
      points.push_back({std::pow(10.0, static_cast<double>(points.size())), s, s});
    return LearningRateCurve(points);
  };
  const auto usual = curve({5, 4.9, 4, 2, 1.5, 9, 1.6});
  CHECK(usual.lowest_loss() == 1e4);
  CHECK(usual.steepest_descent() == 1e2);  // from 4.9 to 2
  CHECK(std::isnan(curve({1, 2, 3}).steepest_descent()));
  CHECK(curve({1, 2, 3}).lowest_loss() == 1);
  CHECK(std::isnan(curve({}).lowest_loss()));
  CHECK(std::isnan(curve({}).steepest_descent()));
}

TEST_CASE("batches without labels are passed over, those that do not fit are refused") {
  const Data data;
  const Matrix<double> none = Matrix<double>::Zero(128, 2);
  const LearningRateRange range{.steps = 10};
  const auto every_other = [&](Index k) {
    return TrainingBatch<double>{data.x, {data.labels, k % 2 == 0 ? View3<const double>() : none}};
  };
  const auto curve = search_learning_rate(model(), data::binary_heads(2), SGD{.learning_rate = 1},
                                          every_other, range);
  REQUIRE(curve.points().size() == 5);
  for (const auto& point : curve.points()) CHECK(point.loss > 0);
  CHECK_THAT(curve.points()[1].learning_rate / curve.points()[0].learning_rate,
             WithinRel(std::pow(1e6, 1.0 / 9), 1e-12));

  Matrix<double> bad = data.x;
  bad(3, 2) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(search_learning_rate(model(), data::binary_heads(2), SGD{.learning_rate = 1},
                                       [&](Index) {
                                         return TrainingBatch<double>{bad, {data.labels}};
                                       }),
                  ValueError);
}

TEST_CASE("a range without a meaning is refused") {
  const Data data;
  const auto refusal = [&](const LearningRateRange& range, double rate = 1) {
    try {
      search_learning_rate(model(), data::binary_heads(2), SGD{.learning_rate = rate}, data, range);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const std::string from = "plait::search_learning_rate: ";
  CHECK(refusal({.lowest = 0}) == from + "lowest: got 0, expected a finite number above 0");
  CHECK(refusal({.lowest = 2}) == from + "highest: got 1, expected a finite number above lowest");
  CHECK(refusal({.steps = 1}) == from + "steps: got 1, expected at least 2");
  CHECK(refusal({.smoothing = 1}) == from + "smoothing: got 1, expected a number in [0, 1)");
  CHECK(refusal({.divergence = 1}) == from + "divergence: got 1, expected above 1");
  CHECK(refusal({}, 0) ==
        from + "learning_rate of the rule: got 0, expected a finite number above 0");
}
