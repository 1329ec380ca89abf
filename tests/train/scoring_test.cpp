// What a trainer does beside steps: it scores with the model as it is now, and takes other values.
#include <algorithm>
#include <limits>
#include <vector>

#include "plait/core/parallel.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/models.hpp"
#include "support/score.hpp"

using namespace plait;

namespace {

constexpr models::Sizes sizes{};
constexpr Index rows = 150;

template <class Scalar>
bool equal_bits(const ParamBuffer<Scalar>& a, const ParamBuffer<Scalar>& b) {
  return std::ranges::equal(a.flat(), b.flat());
}

Model<double> small_model(std::uint64_t seed = 1) {
  return models::make<double>(AdaTT{.input_dim = sizes.input_dim,
                                    .num_tasks = sizes.num_tasks,
                                    .levels = sizes.levels(),
                                    .task_experts = {2}},
                              sizes, seed);
}

}  // namespace

TEMPLATE_TEST_CASE("a trainer scores as a scorer does, bit for bit, between its steps", "", float,
                   double) {
  using Scalar = TestType;
  const auto x = data::normal<Scalar>(rows, sizes.input_dim, 1);
  const auto labels = data::binary<Scalar>(rows, sizes.num_tasks, 2);
  ThreadPool pool(2);
  const std::vector<TrainerOptions> every{
      {},
      {.tile_rows = 1000},
      {.tile_rows = 7, .lanes = 3},
      {.tile_rows = 7, .lanes = 3, .executor = &pool},
      {.tile_rows = 4, .executor = &pool},
  };
  for (const auto& [name, trunk] : models::all_trunks<Scalar>(sizes)) {
    INFO(name);
    for (std::size_t i = 0; i < every.size(); ++i) {
      INFO("options " << i);
      auto model = models::make(trunk, sizes);
      Trainer trainer(model, data::binary_heads(3), Adam{.learning_rate = 1e-2}, every[i]);
      Matrix<Scalar> logits(rows, 3);
      for (int step = 0; step < 3; ++step) {
        trainer.score(x, logits);
        CHECK(logits == models::score(model, x));
        CHECK(logits == models::forward(model, x));
        trainer.step(x, labels);
      }
      const Matrix<Scalar> few = x.topRows(5);
      Matrix<Scalar> of_few(5, 3), of_none(0, 3);
      trainer.score(few, of_few);
      CHECK(of_few == models::score(model, few));
      trainer.score(x.topRows(0), of_none);
    }
  }
}

TEST_CASE("scoring leaves gradients, losses and the next step as they are") {
  const auto x = data::normal<double>(rows, sizes.input_dim, 1);
  const auto labels = data::binary<double>(rows, sizes.num_tasks, 2);
  const Targets<double> targets{.labels = labels};
  auto scored = small_model();
  auto quiet = small_model();
  const TrainerOptions options{.tile_rows = 16, .lanes = 3, .expert_dropout = 0.2};
  Trainer trainer(scored, data::binary_heads(3), Adam{}, options);
  Trainer other(quiet, data::binary_heads(3), Adam{}, options);
  const auto balancer = [](Trainer<double>& of) {
    return GradientBalancer<double>(PCGrad{}, 3, of.model().values().shared_table(), of.shared());
  };
  auto first = balancer(trainer);
  auto second = balancer(other);
  Matrix<double> logits(40, 3);
  for (int i = 0; i < 3; ++i) {
    CHECK(trainer.compute_gradient(x, targets) == other.compute_gradient(x, targets));
    trainer.score(x.topRows(40), logits);
    CHECK(trainer.has_gradient());
    CHECK(equal_bits(trainer.gradient(), other.gradient()));
    CHECK(std::ranges::equal(trainer.task_losses(), other.task_losses()));
    trainer.apply(trainer.gradient());
    other.apply(other.gradient());

    CHECK(trainer.step(x, targets, first) == other.step(x, targets, second));
    trainer.score(x.topRows(40), logits);
    for (std::size_t t = 0; t < 3; ++t)
      CHECK(equal_bits(trainer.task_gradients()[t], other.task_gradients()[t]));
    CHECK(std::ranges::equal(trainer.task_losses(), other.task_losses()));
  }
  CHECK(equal_bits(scored.values(), quiet.values()));
}

TEST_CASE("a row that is not finite spoils its own logits alone") {
  auto model = small_model();
  Trainer trainer(model, data::binary_heads(3), Adam{});
  auto x = data::normal<double>(5, sizes.input_dim, 3);
  Matrix<double> clean(5, 3), spoiled(5, 3);
  trainer.score(x, clean);
  x(2, 1) = std::numeric_limits<double>::quiet_NaN();
  trainer.score(x, spoiled);
  CHECK(spoiled.row(2).array().isNaN().all());
  for (const Index b : {0, 1, 3, 4}) CHECK(spoiled.row(b) == clean.row(b));
}

TEST_CASE("scoring refuses wrong shapes and leaves the logits alone") {
  auto model = small_model();
  Trainer trainer(model, data::binary_heads(3), Adam{});
  const auto x = data::normal<double>(4, 5, 1);
  const auto narrow = data::normal<double>(4, 4, 1);
  Matrix<double> logits = Matrix<double>::Constant(4, 3, 7);
  Matrix<double> few = Matrix<double>::Constant(3, 3, 7);
  CHECK_THROWS_WITH(trainer.score(narrow, logits),
                    "plait::Trainer: x: got [4, 1, 4], expected [batch, 1, 5]");
  CHECK_THROWS_WITH(trainer.score(x, few),
                    "plait::Trainer: logits: got [3, 1, 3], expected [4, 1, 3]");
  CHECK_THROWS_AS(trainer.score(x, logits.leftCols(2)), ShapeError);
  CHECK_THROWS_AS(trainer.score(narrow, few), ShapeError);
  CHECK((logits.array() == 7).all());
  CHECK((few.array() == 7).all());
}

TEST_CASE("values that are loaded are those that are scored and trained") {
  const auto x = data::normal<double>(20, sizes.input_dim, 1);
  const auto labels = data::binary<double>(20, sizes.num_tasks, 2);
  const auto best = small_model(8);
  auto model = small_model();
  auto same = small_model(8);
  Trainer trainer(model, data::binary_heads(3), Adam{});
  Trainer other(same, data::binary_heads(3), Adam{});
  trainer.load(best.values());
  CHECK(equal_bits(model.values(), best.values()));
  Matrix<double> logits(20, 3);
  trainer.score(x, logits);
  CHECK(logits == models::score(best, x));
  CHECK(trainer.step(x, labels) == other.step(x, labels));
  CHECK(equal_bits(model.values(), same.values()));

  // The optimizer's state stays.
  const auto kept = model.values();
  trainer.step(x, labels);
  trainer.load(kept);
  CHECK(equal_bits(model.values(), kept));
  CHECK(trainer.optimizer().steps() == 2);
}

TEST_CASE("values of other parameters are refused, and nothing is changed") {
  auto model = small_model();
  const auto before = model.values();
  Trainer trainer(model, data::binary_heads(3), Adam{});
  const auto other = models::make<double>(
      AdaTT{.input_dim = sizes.input_dim, .num_tasks = 3, .levels = sizes.levels()}, sizes);
  CHECK_THROWS_AS(trainer.load(other.values()), ShapeError);
  CHECK_THROWS_AS(model.load(other.values()), ShapeError);
  CHECK_THROWS_AS(model.load(ParamBuffer<double>()), ShapeError);
  CHECK(equal_bits(model.values(), before));
}
