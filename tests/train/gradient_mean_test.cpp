#include "plait/train/gradient_mean.hpp"

#include <algorithm>
#include <cmath>

#include "plait/architectures/mmoe.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/difference.hpp"

using namespace plait;

namespace {

Model<double> model() {
  return Model<double>(MMoE{.input_dim = 4, .num_tasks = 2, .num_experts = 3, .expert = {5}},
                       {.hidden = {{3}}}, 7);
}

}  // namespace

TEST_CASE("a step from parts is the step on the whole batch") {
  const auto x = data::normal<double>(60, 4, 1);
  const auto labels = data::binary<double>(60, 2, 2);
  auto whole = model();
  auto parts = model();
  Trainer one(whole, data::binary_heads(2), Adam{.learning_rate = 1e-2});
  Trainer several(parts, data::binary_heads(2), Adam{.learning_rate = 1e-2});
  GradientMean<double> mean(parts.values().shared_table());
  for (int step = 0; step < 3; ++step) {
    one.step(x, labels);
    Index first = 0;
    for (const Index rows : {10, 35, 15}) {
      const Matrix<double> part_x = x.middleRows(first, rows);
      const Matrix<double> part_labels = labels.middleRows(first, rows);
      several.compute_gradient(part_x, {part_labels});
      mean.add(several.gradient(), static_cast<double>(rows));
      first += rows;
    }
    CHECK(mean.weight() == 60);
    CHECK(difference(mean.values(), one.gradient()) < 1e-15);
    several.apply(mean.values());
    mean.clear();
    CHECK(mean.weight() == 0);
    CHECK(global_norm(mean.values()) == 0);
  }
  CHECK(several.optimizer().steps() == 3);
  CHECK(difference(parts.values(), whole.values()) < 1e-9);
}

TEST_CASE("a stored mean goes on bit for bit") {
  auto ranker = model();
  const auto table = ranker.values().shared_table();
  ParamBuffer<double> other = ranker.values();
  for (double& value : other.flat()) value = value * value;
  GradientMean<double> whole(table), first(table), second(table);
  whole.add(ranker.values(), 3);
  whole.add(other);
  first.add(ranker.values(), 3);
  second.restore(first.weight(), first.buffers());
  second.add(other);
  CHECK(std::ranges::equal(second.values().flat(), whole.values().flat()));
  CHECK(second.weight() == 4);
}

TEST_CASE("a mean of gradients does not allocate") {
  auto ranker = model();
  GradientMean<double> mean(ranker.values().shared_table());
  const auto before = allocations::count();
  mean.add(ranker.values());
  mean.add(ranker.values(), 2);
  mean.clear();
  const auto after = allocations::count();
  CHECK(after == before);
}

TEST_CASE("a mean of gradients refuses what does not fit") {
  auto ranker = model();
  GradientMean<double> mean(ranker.values().shared_table());
  CHECK_THROWS_WITH(mean.add(ranker.values(), 0),
                    "plait::GradientMean: weight: got 0, expected a finite number above 0");
  CHECK_THROWS_AS(mean.add(ParamBuffer<double>()), ShapeError);
  CHECK_THROWS_WITH(mean.restore(-1, mean.buffers()),
                    "plait::GradientMean: weight: got -1, expected a finite number of at least 0");
  CHECK_THROWS_AS(mean.restore(1, std::vector<ParamBuffer<double>>(2)), ShapeError);
  CHECK(mean.weight() == 0);
}
