// What points to a model and finds it destroyed, moved away or exchanged.
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "plait/inspect/expert_watch.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/methods/static_weights.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/trainer.hpp"
#include "plait/train/weight_average.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/models.hpp"

using namespace plait;
using Catch::Matchers::StartsWith;

namespace {

constexpr models::Sizes sizes{};
const auto x = data::normal<double>(20, sizes.input_dim, 5);
const auto labels = data::binary<double>(20, sizes.num_tasks, 6);

Model<double> make_model(std::uint64_t seed = 1, Index experts = 3) {
  return models::make<double>(MMoE{.input_dim = sizes.input_dim,
                                   .num_tasks = sizes.num_tasks,
                                   .num_experts = experts,
                                   .expert = sizes.flat()},
                              sizes, seed);
}
Trainer<double> make_trainer(Model<double>& model) {
  return Trainer<double>(model, data::binary_heads(3), SGD{.learning_rate = 0.1});
}

// All that a trainer does with its model, after `end` did away with it.
template <class End>
void check_refusals(Trainer<double>& trainer, const char* message, End end) {
  trainer.step(x, labels);
  const ParamBuffer<double> values = trainer.model().values();
  const Targets<double> targets{labels};
  LossWeighting weighting(StaticWeights{}, 3);
  GradientBalancer<double> balancer(PCGrad{}, 3, values.shared_table(), trainer.shared());
  Matrix<double> logits = Matrix<double>::Constant(20, 3, 7);
  end();
  CHECK_THROWS_WITH(trainer.step(x, labels), message);
  CHECK_THROWS_WITH(trainer.step(x, targets, weighting), message);
  CHECK_THROWS_WITH(trainer.step(x, targets, balancer), message);
  CHECK_THROWS_WITH(trainer.compute_gradient(x, targets), message);
  CHECK_THROWS_WITH(trainer.compute_task_gradients(x, targets), message);
  CHECK_THROWS_WITH(trainer.apply(values), message);
  CHECK_THROWS_WITH(trainer.score(x, logits), message);
  CHECK_THROWS_WITH(trainer.load(values), message);
  CHECK_THROWS_WITH(trainer.model(), message);
  CHECK_THROWS_AS(trainer.step(x, labels), ConfigError);
  CHECK((logits.array() == 7).all());
}

constexpr auto destroyed =
    "plait::Trainer: model: got one that was destroyed, or a Trainer that was moved from, expected "
    "one that outlives it and stays where it is";
constexpr auto moved =
    "plait::Trainer: model: got one that was moved from, expected one that outlives it and stays "
    "where it is";

}  // namespace

TEST_CASE("a trainer whose model was destroyed refuses to work") {
  auto model = std::make_unique<Model<double>>(make_model());
  auto trainer = make_trainer(*model);
  check_refusals(trainer, destroyed, [&] { model.reset(); });
}

TEST_CASE("a trainer whose model was moved away refuses to work, until it has another") {
  auto model = make_model();
  auto trainer = make_trainer(model);
  std::optional<Model<double>> other;
  check_refusals(trainer, moved, [&] { other.emplace(std::move(model)); });
  model = *other;
  auto reference = make_trainer(*other);
  CHECK(trainer.step(x, labels) == reference.step(x, labels));
}

TEST_CASE("a model and its trainer that move together are told apart") {
  struct Both {
    Model<double> model = make_model();
    Trainer<double> trainer = make_trainer(model);
  };
  Both both;
  Both elsewhere = std::move(both);
  CHECK_THROWS_WITH(elsewhere.trainer.step(x, labels), moved);
  auto source = std::make_unique<Both>();
  Both last = std::move(*source);
  source.reset();
  CHECK_THROWS_WITH(last.trainer.step(x, labels), destroyed);
}

TEST_CASE("a trainer that was moved from refuses to work, the new one goes on") {
  auto model = make_model();
  auto trainer = make_trainer(model);
  std::optional<Trainer<double>> other;
  check_refusals(trainer, destroyed, [&] { other.emplace(std::move(trainer)); });
  CHECK(other->step(x, labels) > 0);
}

TEST_CASE("models may change places under their trainers") {
  auto a = make_model(1), b = make_model(2);
  auto trainer = make_trainer(a);
  std::swap(a, b);
  auto fresh = make_model(2);
  auto reference = make_trainer(fresh);
  CHECK(trainer.step(x, labels) == reference.step(x, labels));
}

TEST_CASE("a trainer refuses a model of other parameters in the place of its own, to score too") {
  auto model = make_model();
  auto trainer = make_trainer(model);
  Matrix<double> logits = Matrix<double>::Constant(20, 3, 7);
  model = make_model(1, 4);
  CHECK_THROWS_AS(trainer.step(x, labels), ShapeError);
  CHECK_THROWS_AS(trainer.score(x, logits), ShapeError);
  CHECK((logits.array() == 7).all());
}

TEST_CASE("a watch whose model was destroyed or moved away refuses to look") {
  auto model = std::make_unique<Model<double>>(make_model());
  ExpertWatch watch(*model);
  watch.add(x);
  const Model<double> other = std::move(*model);
  CHECK_THROWS_WITH(watch.add(x), StartsWith("plait::ExpertWatch: model: got one that was moved"));
  model.reset();
  CHECK_THROWS_WITH(watch.add(x),
                    StartsWith("plait::ExpertWatch: model: got one that was destroyed"));
  CHECK(watch.report().rows == 20);
}

TEST_CASE("values that were moved away are refused by all that takes values") {
  auto model = make_model();
  auto copy = model;
  Scorer scorer(model);
  WeightAverage<double> average(model.shared_table(), 0.9);
  const Model<double> other = std::move(model);
  const auto none = [](const char* where) {
    return StartsWith(text("plait::", where, ": values: got a table of none"));
  };
  CHECK_THROWS_WITH(scorer.refresh(model.values()), none("Model"));
  CHECK_THROWS_WITH(average.update(model.values()), none("WeightAverage"));
  CHECK_THROWS_WITH(copy.load(model.values()), none("Model"));
  CHECK_THROWS_AS(model.load(copy.values()), ShapeError);
}
