// Small auxiliary towers from training to serving.
#include "plait/layers/auxiliary_model.hpp"

#include <algorithm>

#include "plait/layers/mmoe.hpp"
#include "plait/losses/auxiliary_heads.hpp"
#include "plait/optim/adam.hpp"
#include "plait/serve/scoring_context.hpp"
#include "plait/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;

namespace {

using Trunk = MMoE<double>;
const Trunk::Config trunk{.input_dim = 4, .num_tasks = 2, .num_experts = 3, .expert = {5}};
const Model<Trunk>::TowersLayer::Config towers{.hidden = {{3}}};
const std::vector<Head> heads{{.name = "click"}, {.kind = HeadKind::regression, .weight = 2}};

}  // namespace

TEST_CASE("an auxiliary model starts as the model that it serves") {
  const Model<Trunk> plain(trunk, towers, 9);
  const AuxiliaryModel<Trunk> model(trunk, {.towers = towers}, 9);
  CHECK(std::ranges::equal(model.serving().values().flat(), plain.values().flat()));
  CHECK(model.num_tasks() == 4);
  CHECK(model.out_shape() == Shape{1, 4});
  CHECK(model.table().contains("auxiliary_modules.1.1.weight"));
  CHECK_FALSE(plain.table().contains("auxiliary_modules.1.1.weight"));
}

TEST_CASE("auxiliary towers train with the labels of their tasks and are left away for serving") {
  AuxiliaryModel<Trunk> model(trunk, {.towers = towers}, 9);
  const auto x = data::normal<double>(64, 4, 1);
  Matrix<double> labels(64, 2);
  labels.col(0) = (x.col(0).array() > 0).cast<double>();
  labels.col(1) = x.col(1);
  Trainer trainer(model, with_auxiliary(heads, 0.3), Adam{.learning_rate = 1e-2});
  const double first = trainer.step(x, labels);
  for (int i = 0; i < 200; ++i) trainer.step(x, labels);
  CHECK(trainer.step(x, labels) < 0.3 * first);

  const Model<Trunk> served = model.serving();
  Matrix<double> all(64, 4), logits(64, 2);
  ScoringContext(model).score(x, all);
  ScoringContext(served).score(x, logits);
  CHECK(logits == all.leftCols(2));
}

TEST_CASE("with lambda 0 the small towers change nothing") {
  AuxiliaryModel<Trunk> model(trunk, {.towers = towers}, 9);
  Model<Trunk> plain(trunk, towers, 9);
  const auto x = data::normal<double>(32, 4, 1);
  const auto labels = data::binary<double>(32, 2, 2);
  Trainer with(model, with_auxiliary(heads, 0), Adam{});
  Trainer without(plain, heads, Adam{});
  for (int i = 0; i < 3; ++i) CHECK(with.step(x, labels) == without.step(x, labels));
  CHECK(std::ranges::equal(model.serving().values().flat(), plain.values().flat()));
}
