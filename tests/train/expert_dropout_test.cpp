// Dropping experts in training: the same whatever the tiles, lanes and threads, and gone
// afterwards.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "plait/architectures/asymmetric.hpp"
#include "plait/architectures/asymmetric_networks.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/core/parallel.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/difference.hpp"
#include "support/score.hpp"

using namespace plait;

namespace {

Model<double> ranker() {
  return Model<double>(
      PLE{.input_dim = 5, .num_tasks = 2, .levels = {{6}, {4}}, .task_experts = {2}}, {},
      /*seed=*/3);
}
const Matrix<double> x = data::normal<double>(300, 5, 1);
const Matrix<double> labels = data::binary<double>(300, 2, 2);

// The gradient of the first step.
ParamBuffer<double> gradient(TrainerOptions options) {
  auto model = ranker();
  Trainer trainer(model, data::binary_heads(2), Adam{}, std::move(options));
  trainer.compute_gradient(x, Targets<double>{.labels = labels});
  return trainer.gradient();
}

}  // namespace

TEST_CASE("dropped experts do not depend on tiles, lanes or threads") {
  const auto whole = gradient({.tile_rows = 300, .expert_dropout = 0.4, .seed = 5});
  CHECK(difference(whole, gradient({.tile_rows = 7, .expert_dropout = 0.4, .seed = 5})) < 1e-12);
  CHECK(
      difference(whole, gradient({.tile_rows = 7, .lanes = 4, .expert_dropout = 0.4, .seed = 5})) <
      1e-12);
  ThreadPool pool(2);
  const auto lanes = gradient({.tile_rows = 7, .lanes = 4, .expert_dropout = 0.4, .seed = 5});
  CHECK(
      difference(
          lanes,
          gradient(
              {.tile_rows = 7, .lanes = 4, .executor = &pool, .expert_dropout = 0.4, .seed = 5})) ==
      0);

  CHECK(difference(whole, gradient({.tile_rows = 300, .expert_dropout = 0.4, .seed = 6})) > 1e-3);
  CHECK(difference(whole, gradient({.tile_rows = 300})) > 1e-3);
}

TEST_CASE("the tasks' gradients are those of the experts that were kept, and add up") {
  auto model = ranker();
  Trainer trainer(model, data::binary_heads(2), Adam{}, {.expert_dropout = 0.4});
  const Targets<double> targets{.labels = labels};
  const double loss = trainer.compute_gradient(x, targets);
  const auto sum = trainer.gradient();
  CHECK(trainer.compute_task_gradients(x, targets) == loss);
  auto added = trainer.task_gradients()[0];
  for (std::size_t i = 0; i < added.flat().size(); ++i)
    added.flat()[i] += trainer.task_gradients()[1].flat()[i];
  CHECK(difference(sum, added) < 1e-12);
}

TEST_CASE("every step drops others; scoring drops none") {
  auto model = ranker();
  Trainer trainer(model, data::binary_heads(2), Adam{.learning_rate = 1e-12},
                  {.expert_dropout = 0.4});
  const Targets<double> targets{.labels = labels};
  const double first = trainer.step(x, targets);
  const double second = trainer.step(x, targets);
  CHECK(std::abs(first - second) > 1e-5);  // the weights did not move by as much

  const auto after = models::score(model, x);
  const auto fresh = models::score(ranker(), x);
  CHECK((after - fresh).cwiseAbs().maxCoeff() < 1e-9);
  Matrix<double> by_trainer(300, 2);
  trainer.score(x, by_trainer);
  CHECK(by_trainer == after);
}

TEST_CASE("a rate that leaves nothing, and a network without levels, are refused") {
  auto model = ranker();
  const auto trainer = [&](double rate) {
    Trainer(model, data::binary_heads(2), Adam{}, {.expert_dropout = rate});
  };
  CHECK_THROWS_WITH(trainer(1),
                    "plait::Trainer: expert_dropout: got 1, expected at least 0 and below 1");
  CHECK_THROWS_AS(trainer(-0.1), ConfigError);
  CHECK_THROWS_AS(trainer(std::numeric_limits<double>::quiet_NaN()), ConfigError);

  Model<double> networks(
      AsymmetricSharing{.input_dim = 5, .num_tasks = 2, .expert = {4}, .sources = {{}, {0}}}, {},
      1);
  CHECK_THROWS_WITH(Trainer(networks, data::binary_heads(2), Adam{}, {.expert_dropout = 0.5}),
                    "plait::Trainer: expert_dropout: got 0.5, expected 0 for a network without "
                    "fusion levels");
}
