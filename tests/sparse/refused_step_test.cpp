// Steps that fail after the batch was found to fit, and arguments that are no batch of features.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "plait/core/parallel.hpp"
#include "plait/embeddings.hpp"
#include "plait/optim/adagrad.hpp"
#include "sparse/batches.hpp"
#include "sparse/training_state.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using Catch::Matchers::Message;
using namespace plait;
using sparse_test::Bags;
using sparse_test::Batch;
using sparse_test::Training;

namespace {

const EmbeddingConfig config{
    .tables = {{.name = "item", .rows = 50, .dim = 4}, {.name = "user", .rows = 10, .dim = 3}},
    .features = {{.name = "item", .weighted = true}, {.name = "user"}}};

Batch<float> batch_of(Index rows, float weight = 1) {
  Bags items, users;
  for (Index b = 0; b < rows; ++b) {
    items.ids.push_back(static_cast<std::uint64_t>(b % 7));
    items.weights.push_back(weight);
    users.ids.push_back(static_cast<std::uint64_t>(b % 10));
  }
  return {rows, {items, users}};
}

const Matrix<float> labels = data::binary<float>(40, 2, 1);

}  // namespace

TEST_CASE("rows and features are not taken for each other") {
  Training<float> features(config, SGD{});
  const Matrix<float> x = Matrix<float>::Ones(40, features.tables.width());
  const auto before = features.state();
  CHECK_THROWS_MATCHES(features.trainer.step(x, labels), ConfigError,
                       Message("plait::Trainer: x: got rows of numbers, expected features, as "
                               "there are tables"));
  CHECK((features.state() == before));

  Model<float> model = features.model;
  Trainer<float> rows(model, std::vector<Head>(2), SGD{});
  const auto batch = batch_of(40);
  CHECK_THROWS_MATCHES(
      rows.step(batch.view(), labels), ConfigError,
      Message("plait::Trainer: x: got features, expected rows, as there are no tables"));
  Matrix<float> logits(40, 2);
  CHECK_THROWS_AS(rows.score(batch.view(), logits), ConfigError);
  CHECK_THROWS_AS(features.trainer.score(x, logits), ConfigError);
}

TEST_CASE("labels of another number of rows are refused") {
  Training<float> training(config, SGD{});
  const auto before = training.state();
  CHECK_THROWS_AS(training.trainer.step(batch_of(39).view(), labels), ShapeError);
  CHECK((training.state() == before));
}

TEST_CASE("a model of another width is refused") {
  EmbeddingTables<float> tables(config, 1);
  TableOptimizer<float> rows(tables, SGD{});
  Model<float> model(MMoE{.input_dim = 8, .num_tasks = 2, .num_experts = 2, .expert = Body{5}}, {},
                     1);
  CHECK_THROWS_MATCHES(
      Trainer<float>(model, rows, std::vector<Head>(2), SGD{}), ConfigError,
      Message("plait::Trainer: tables: got a width of 7, expected the model's input, 1 slot(s) of "
              "8"));
}

TEST_CASE("rules and groups that do not fit are refused") {
  EmbeddingTables<float> tables(config, 1);
  const auto make = [&](const RowRule<float>& rule, std::vector<ParamGroup> groups = {}) {
    TableOptimizer<float>(tables, rule, groups);
  };
  CHECK_THROWS_MATCHES(
      make(RowwiseAdagrad{.learning_rate = -1}), ConfigError,
      Message("plait::RowwiseAdagrad: learning_rate: got -1, expected a finite number of at least "
              "0"));
  CHECK_THROWS_AS(make(RowwiseAdagrad{.weight_decay = -1}), ConfigError);
  CHECK_THROWS_AS(make(RowwiseAdagrad{.initial_accumulator = -1}), ConfigError);
  CHECK_THROWS_AS(make(RowwiseAdagrad{.epsilon = 0}), ConfigError);
  CHECK_THROWS_AS(make(RowwiseAdam{.beta1 = 1}), ConfigError);
  CHECK_THROWS_AS(make(RowwiseAdam{.beta2 = -0.1}), ConfigError);
  CHECK_THROWS_AS(make(RowwiseAdam{.epsilon = 0}), ConfigError);
  CHECK_THROWS_AS(make(LazyAdam{.beta1 = -0.1}), ConfigError);
  CHECK_THROWS_AS(make(LazyAdam{.beta2 = 1}), ConfigError);
  CHECK_THROWS_AS(make(LazyAdam{.weight_decay = std::nan("")}), ConfigError);
  CHECK_THROWS_MATCHES(make(SGD{}, {{.pattern = "items"}}), ConfigError,
                       Message("plait::ParamGroup: pattern: got 'items', expected one that matches "
                               "a table"));
  CHECK_THROWS_AS(make(SGD{}, {{.pattern = "*", .learning_rate = -1}}), ConfigError);
  CHECK_THROWS_MATCHES(
      make(RowwiseAdagrad{.epsilon = 1e-60}), ConfigError,
      Message("plait::TableOptimizer: epsilon: got 1e-60, expected 0 or a size from "
              "1.1754943508222875e-38 to 3.4028234663852886e+38, which float can "
              "hold"));
  CHECK_THROWS_MATCHES(
      make(SGD{}, {{.pattern = "user", .learning_rate = 1e60}}), ConfigError,
      Message("plait::TableOptimizer: learning_rate: got 1e+60, expected 0 or a size "
              "from 1.1754943508222875e-38 to 3.4028234663852886e+38, which float "
              "can hold"));
}

TEST_CASE("a gradient of the input that overflows is refused, with any number of lanes after it") {
  for (const Index lanes : {1, 4}) {
    INFO(lanes);
    Training<float> training(config, LazyAdam{}, {.tile_rows = 2, .lanes = lanes});
    const auto batch = batch_of(40);
    training.trainer.step(batch.view(), labels);
    // Finite weights whose products are not.
    const auto before = training.state();
    Model<float> model = training.model;
    ParamBuffer<float> large = training.model.values();
    for (float& number : large.flat()) number *= 1e13f;
    training.trainer.load(large);
    const auto loaded = training.state();
    CHECK_THROWS_AS(training.trainer.step(batch.view(), labels), ValueError);
    CHECK((training.state() == loaded));
    training.trainer.load(model.values());
    CHECK((training.state() == before));
    training.trainer.step(batch.view().rows(0, 2), labels.topRows(2).eval());
    training.trainer.step(batch.view(), labels);
    CHECK(training.trainer.optimizer().steps() == 3);
  }
}

TEST_CASE("a row's gradient that overflows by its ids' weights is refused") {
  for (const auto& rule : {RowRule<float>(SGD{}), RowRule<float>(Adagrad{}),
                           RowRule<float>(RowwiseAdagrad{}), RowRule<float>(LazyAdam{})})
    for (const bool clips : {false, true}) {
      INFO(rule.name() << (clips ? ", clipped" : ""));
      TrainerOptions options;
      if (clips) options.optimizer.clip_norm = 1;
      Training<float> training(config, rule, options);
      std::ranges::fill(training.tables.values(0), 0.0f);
      const auto before = training.state();
      for (const float weight : {1e25f, 3e38f}) {
        const auto batch = batch_of(40, weight);
        CHECK_THROWS_MATCHES(training.trainer.step(batch.view(), labels), ValueError,
                             Message("plait::Trainer: gradient of the tables: got NaN or infinity, "
                                     "expected finite numbers"));
        CHECK((training.state() == before));
        CHECK_FALSE(training.trainer.optimizer().spoiled());
      }
      training.trainer.step(batch_of(40).view(), labels);
      CHECK(training.trainer.optimizer().steps() == 1);
    }
}

TEST_CASE("an update that overflows spoils: further steps are refused") {
  Training<float> training(config, SGD{.learning_rate = 3e38});
  const auto batch = batch_of(40, 1e4f);
  std::ranges::fill(training.tables.values(0), 0.0f);
  CHECK_THROWS_MATCHES(training.trainer.step(batch.view(), labels), ValueError,
                       Message("plait::Trainer: tables: got NaN or infinity after the update, "
                               "expected finite numbers"));
  CHECK(training.trainer.optimizer().spoiled());
  std::ranges::fill(training.tables.values(0), 0.0f);
  std::ranges::fill(training.tables.values(1), 0.0f);
  const auto after = training.state();
  CHECK_THROWS_MATCHES(
      training.trainer.step(batch_of(40).view(), labels), ConfigError,
      Message("plait::Optimizer: state: got that of a step that threw, expected restore() of a "
              "whole one"));
  CHECK((training.state() == after));
}

TEST_CASE("an update of the network that overflows moves no row") {
  Training<float> training(config, SGD{.learning_rate = 0.1}, {}, SGD{.learning_rate = 3e38});
  const auto batch = batch_of(40, 1e4f);
  const std::vector<float> before(training.tables.values(0).begin(),
                                  training.tables.values(0).end());
  const auto values = training.model.values();
  CHECK_THROWS_AS(training.trainer.step(batch.view(), labels), ValueError);
  CHECK(training.trainer.optimizer().spoiled());
  training.trainer.load(values);
  CHECK_THROWS_AS(training.trainer.step(batch.view(), labels), ConfigError);
  CHECK(std::ranges::equal(training.tables.values(0), before));
}

TEST_CASE("with tables the gradient that is applied is the last batch's") {
  Training<float> training(config, SGD{.learning_rate = 0.1});
  const auto batch = batch_of(40);
  training.trainer.compute_gradient(batch.view(), {labels});
  const auto copy = training.trainer.gradient();
  const auto before = training.state();
  CHECK_THROWS_MATCHES(training.trainer.apply(copy), ConfigError,
                       Message("plait::Trainer: gradient: got another than the last batch's, "
                               "expected gradient(), as the tables' rows are the batch's"));
  CHECK((training.state() == before));
  training.trainer.apply(training.trainer.gradient());
  CHECK((training.state() != before));
}

TEST_CASE("a batch without a label that counts moves no row, applied or not") {
  Training<float> training(config, SGD{.learning_rate = 0.1});
  const auto batch = batch_of(40);
  training.trainer.step(batch.view(), labels);
  const auto few = batch_of(3);
  const Matrix<float> none = Matrix<float>::Zero(3, 2);
  const auto of_few = labels.topRows(3).eval();
  const auto before = training.state();
  CHECK(training.trainer.step(few.view(), of_few, none) == 0);
  CHECK((training.state() == before));
  const std::vector<float> items(training.tables.values(0).begin(),
                                 training.tables.values(0).end());
  training.trainer.compute_gradient(few.view(), {of_few, none});
  training.trainer.apply(training.trainer.gradient());
  CHECK(std::ranges::equal(training.tables.values(0), items));
}

TEST_CASE("without check_finite an overflow is the caller's, and nothing is refused") {
  Training<float> training(config, SGD{.learning_rate = 3e38}, {.check_finite = false});
  const auto batch = batch_of(40, 1e4f);
  training.trainer.step(batch.view(), labels);
  training.trainer.step(batch.view(), labels);
  CHECK(training.trainer.optimizer().steps() == 2);
}

namespace {

// Throws in the run with this number, from 0.
class Failing final : public Executor {
 public:
  void run(Index count, IndexTask task) override {
    if (runs_++ == fails_at) throw std::runtime_error("no threads");
    for (Index i = 0; i < count; ++i) task(i);
  }
  int fails_at = -1;
  int runs() const { return runs_; }
  void begin(int at) {
    runs_ = 0;
    fails_at = at;
  }

 private:
  int runs_ = 0;
};

}  // namespace

TEST_CASE("an executor that throws leaves all as it was, or spoils it") {
  Failing executor;
  Training<float> counted(
      config, LazyAdam{},
      {.optimizer = {.clip_norm = 1}, .tile_rows = 4, .lanes = 2, .executor = &executor});
  const auto batch = batch_of(40);
  executor.begin(-1);
  counted.trainer.step(batch.view(), labels);
  const int runs = executor.runs();
  REQUIRE(runs >= 4);
  for (int at = 0; at < runs; ++at) {
    INFO("run " << at << " of " << runs);
    Training<float> training(
        config, LazyAdam{},
        {.optimizer = {.clip_norm = 1}, .tile_rows = 4, .lanes = 2, .executor = &executor});
    executor.begin(-1);
    training.trainer.step(batch.view(), labels);
    const auto before = training.state();
    executor.begin(at);
    CHECK_THROWS_WITH(training.trainer.step(batch.view(), labels), "no threads");
    executor.begin(-1);
    if (training.trainer.optimizer().spoiled()) {
      CHECK_THROWS_AS(training.trainer.step(batch.view(), labels), ConfigError);
    } else {
      CHECK((training.state() == before));
      training.trainer.step(batch.view(), labels);
    }
  }
}
