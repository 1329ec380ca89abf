// Small towers from training to serving.
#include <algorithm>
#include <vector>

#include "plait/architectures/mmoe.hpp"
#include "plait/losses/auxiliary_heads.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/models.hpp"
#include "support/score.hpp"

using namespace plait;

namespace {

const Trunk<double> trunk = MMoE{.input_dim = 4, .num_tasks = 2, .num_experts = 3, .expert = {5}};
const std::vector<Head> heads{{.name = "click"}, {.kind = HeadKind::regression, .weight = 2}};

Model<double> plain_model() { return Model<double>(trunk, {.hidden = {{3}}}, 9); }
// The small towers are the linear layer alone.
Model<double> model_with_small() {
  return Model<double>(trunk, {.hidden = {{3}}, .small = {{}}}, 9);
}

}  // namespace

TEST_CASE("a model with small towers starts as the model that it serves") {
  const auto plain = plain_model();
  const auto model = model_with_small();
  CHECK(std::ranges::equal(model.serving().values().flat(), plain.values().flat()));
  CHECK(model.num_tasks() == 4);
  CHECK(model.out_shape() == Shape{1, 4});
  CHECK(model.table().contains("auxiliary_modules.1.1.weight"));
  CHECK_FALSE(plain.table().contains("auxiliary_modules.1.1.weight"));
}

TEST_CASE("small towers train with the labels of their tasks and are left away for serving") {
  auto model = model_with_small();
  const auto x = data::normal<double>(64, 4, 1);
  Matrix<double> labels(64, 2);
  labels.col(0) = (x.col(0).array() > 0).cast<double>();
  labels.col(1) = x.col(1);
  Trainer trainer(model, with_auxiliary(heads, 0.3), Adam{.learning_rate = 1e-2});
  const double first = trainer.step(x, labels);
  for (int i = 0; i < 200; ++i) trainer.step(x, labels);
  CHECK(trainer.step(x, labels) < 0.3 * first);
  CHECK(models::score(model.serving(), x) == models::score(model, x).leftCols(2));
}

TEST_CASE("every architecture, with small towers of their own layers: serving gives the towers") {
  constexpr models::Sizes sizes{};
  const auto x = data::normal<double>(40, sizes.input_dim, 1);
  const auto labels = data::binary<double>(40, sizes.num_tasks, 2);
  for (const auto& [name, of_task] : models::all_trunks<double>(sizes)) {
    INFO(name);
    Model<double> model(of_task, {.hidden = {{3}}, .small = {{8}, {}, {12, 8}}}, 9);
    const auto start = model.values();
    Trainer trainer(model, with_auxiliary(data::binary_heads(3), 0.5), Adam{.learning_rate = 1e-2},
                    {.tile_rows = 16});
    for (int i = 0; i < 5; ++i) trainer.step(x, labels);
    CHECK(std::ranges::count_if(trainer.task_losses(), [](double loss) { return loss > 0; }) == 6);
    for (const ParamEntry& entry : model.table().entries()) {
      if (!entry.name.starts_with("auxiliary_modules")) continue;
      CAPTURE(entry.name);
      CHECK_FALSE(std::ranges::equal(model.values().of(entry.id), start.of(entry.id)));
    }
    const Matrix<double> towers = models::score(model, x).leftCols(3);
    CHECK(models::score(model.serving(), x) == towers);
    Matrix<double> all(40, 6);
    trainer.score(x, all);
    CHECK(all.leftCols(3) == towers);
  }
}

TEST_CASE("with lambda 0 the small towers change nothing") {
  auto model = model_with_small();
  auto plain = plain_model();
  const auto x = data::normal<double>(32, 4, 1);
  const auto labels = data::binary<double>(32, 2, 2);
  Trainer with(model, with_auxiliary(heads, 0), Adam{});
  Trainer without(plain, heads, Adam{});
  for (int i = 0; i < 3; ++i) CHECK(with.step(x, labels) == without.step(x, labels));
  CHECK(std::ranges::equal(model.serving().values().flat(), plain.values().flat()));
}
