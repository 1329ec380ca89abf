// A scorer that takes the values of a model in training: its contexts stay good.
#include <algorithm>

#include "plait/optim/adam.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/trainer.hpp"
#include "serve/small_model.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/score.hpp"

using namespace plait;
using serve::sizes, serve::small_model;

TEMPLATE_TEST_CASE("contexts made before a refresh score the new values, bit for bit", "", float,
                   double) {
  using Scalar = TestType;
  const auto x = data::normal<Scalar>(50, sizes.input_dim, 3);
  const auto labels = data::binary<Scalar>(50, sizes.num_tasks, 4);
  const Matrix<Scalar> shared = x.topLeftCorner(1, 2);
  const Matrix<Scalar> own = x.rightCols(x.cols() - 2);
  for (const auto& [name, trunk] : models::all_trunks<Scalar>(sizes)) {
    INFO(name);
    auto model = models::make(trunk, sizes);
    Scorer scorer(model);
    Scorer splitting(model, {.shared_inputs = {0, 1}});
    auto context = scorer.context(16);
    auto split = splitting.context(16);
    Trainer trainer(model, data::binary_heads(3), Adam{.learning_rate = 1e-2});
    Matrix<Scalar> before(50, 3), after(50, 3), fresh(50, 3);
    for (int epoch = 0; epoch < 2; ++epoch) {
      context.score(x, before);
      trainer.step(x, labels);
      scorer.refresh(model.values());
      splitting.refresh(model.values());
      context.score(x, after);
      CHECK(after != before);
      CHECK(after == models::score(model, x));
      split.score(x, after);
      CHECK(after == models::score(model, x));

      const Scorer renewed(model, {.shared_inputs = {0, 1}});
      renewed.context(16).score(shared, own, fresh);
      split.score(shared, own, after);
      CHECK(after == fresh);
    }
    CHECK(std::ranges::equal(scorer.model().values().flat(), model.values().flat()));
  }
}

TEST_CASE("values of other parameters are refused, and the scorer is as it was") {
  const auto x = data::normal<double>(7, sizes.input_dim, 3);
  const Matrix<double> shared = x.topLeftCorner(1, 2);
  const Matrix<double> own = x.rightCols(x.cols() - 2);
  const auto model = small_model();
  const auto other = models::make<double>(
      PLE{.input_dim = 5, .num_tasks = 3, .levels = sizes.levels(), .task_experts = {3}}, sizes);
  Scorer scorer(model, {.shared_inputs = {0, 1}});
  auto context = scorer.context();
  Matrix<double> whole(7, 3), split(7, 3), again(7, 3);
  context.score(x, whole);
  context.score(shared, own, split);
  CHECK_THROWS_AS(scorer.refresh(other.values()), ShapeError);
  CHECK_THROWS_AS(scorer.refresh(ParamBuffer<double>()), ShapeError);
  CHECK(std::ranges::equal(scorer.model().values().flat(), model.values().flat()));
  context.score(x, again);
  CHECK(again == whole);
  context.score(shared, own, again);
  CHECK(again == split);
}

TEST_CASE("a model takes the values of another, and no others than of its parameters") {
  auto model = small_model();
  const auto source = small_model(7);
  model.load(source.values());
  CHECK(std::ranges::equal(model.values().flat(), source.values().flat()));
  const auto x = data::normal<double>(7, sizes.input_dim, 3);
  CHECK(models::score(model, x) == models::score(source, x));

  // Names count, not sizes alone.
  auto renamed = std::make_shared<ParamTable>();
  for (const ParamEntry& entry : model.table().entries())
    renamed->add_matrix("other." + entry.name, entry.id.rows, entry.id.cols, entry.init);
  CHECK_THROWS_AS(model.load(ParamBuffer<double>(renamed)), ShapeError);
  CHECK(std::ranges::equal(model.values().flat(), source.values().flat()));

  model.values_of("task_modules.0.1.bias")[0] = 5;
  CHECK(model.values().of("task_modules.0.1.bias")[0] == 5);
  CHECK_THROWS_AS(model.values_of("task_modules.9.1.bias"), ConfigError);
}
