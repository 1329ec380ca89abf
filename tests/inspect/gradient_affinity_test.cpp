// What a step of one task's gradient does to the others' losses, and groups by it.
#include "plait/inspect/gradient_affinity.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "plait/architectures/shared_bottom.hpp"
#include "plait/optim/sgd.hpp"
#include "support/catch.hpp"
#include "train/three_tasks.hpp"

using namespace plait;

TEST_CASE("lookahead affinity is what a task's step does to a loss") {
  Model<double> model(SharedBottom{.input_dim = 5, .num_tasks = 3, .expert = {6}},
                      {.hidden = {{3}}}, 2);
  Trainer<double> trainer(model, three_tasks::heads(), SGD{});
  const three_tasks::Batch batch(50);
  const ParamBuffer<double> values = model.values();
  const auto affinity = lookahead_affinity<double>(trainer, batch.x, batch.targets(), 0.01);
  CHECK(std::ranges::equal(model.values().flat(), values.flat()));
  trainer.compute_gradient(batch.x, batch.targets());
  const std::vector<double> before(trainer.task_losses().begin(), trainer.task_losses().end());
  for (Index i = 0; i < 3; ++i) {
    trainer.compute_task_gradients(batch.x, batch.targets());
    ParamBuffer<double> moved = values;
    for (const auto& entry : values.table().entries()) {
      if (!entry.name.starts_with("mtl_arch")) continue;  // shared
      const auto from = trainer.task_gradients()[static_cast<std::size_t>(i)].of(entry.id);
      for (std::size_t k = 0; k < from.size(); ++k) moved.of(entry.id)[k] -= 0.01 * from[k];
    }
    trainer.load(moved);
    trainer.compute_gradient(batch.x, batch.targets());
    for (Index j = 0; j < 3; ++j) {
      const auto at = static_cast<std::size_t>(j);
      CHECK(std::abs(affinity(i, j) -
                     (before[at] - trainer.task_losses()[at]) / std::abs(before[at])) < 1e-12);
    }
    CHECK(affinity(i, i) > 0);  // a step downhill
    trainer.load(values);
  }

  // A task without labels neither gains nor gives.
  Matrix<double> mask = batch.mask;
  mask.col(1).setZero();
  const auto masked =
      lookahead_affinity<double>(trainer, batch.x, Targets<double>{batch.labels, mask}, 0.01);
  CHECK(masked.col(1).isZero(0));
  CHECK(masked.row(1).isZero(0));

  CHECK_THROWS_AS(lookahead_affinity<double>(trainer, batch.x, batch.targets(), 0), ConfigError);
  // A step that leads to numbers without bounds leaves the model as it was.
  CHECK_FALSE(lookahead_affinity<double>(trainer, batch.x, batch.targets(), 1e300).allFinite());
  CHECK(std::ranges::equal(model.values().flat(), values.flat()));
}

TEST_CASE("tasks are grouped with those that help them") {
  Matrix<double> affinity(4, 4);
  affinity << 0.5, 0.2, -0.3, -0.1,  //
      0.3, 0.5, -0.2, -0.1,          //
      -0.1, -0.4, 0.5, 0.1,          //
      -0.2, -0.1, 0.2, 0.5;
  CHECK(group_tasks(affinity, 2) == Partition{0, 0, 1, 1});
  CHECK(group_tasks(affinity, 4) == Partition{0, 0, 1, 1});
  CHECK(group_tasks(affinity, 1) == Partition{0, 0, 0, 0});
  // Whom nobody helps stays alone.
  affinity.col(3).setConstant(-1);
  affinity.row(3).setConstant(-1);
  CHECK(group_tasks(affinity, 3) == Partition{0, 0, 1, 2});
  CHECK_THROWS_AS(group_tasks(affinity, 0), ConfigError);
  CHECK_THROWS_AS(group_tasks(affinity.leftCols(3), 2), ConfigError);
  affinity(0, 1) = std::nan("");
  CHECK_THROWS_AS(group_tasks(affinity, 2), ConfigError);
  CHECK_THROWS_AS(group_tasks(Matrix<double>::Zero(11, 11), 2), ConfigError);
}
