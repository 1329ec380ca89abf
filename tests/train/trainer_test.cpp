// Trainer: tiles, lanes, threads, errors, and the gradient of the whole model.
#include "plait/train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "plait/metrics/auc.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/sgd.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/difference.hpp"
#include "support/every_kind.hpp"
#include "support/models.hpp"
#include "support/score.hpp"

using namespace plait;

namespace {

constexpr models::Sizes sizes{};

Model<double> small_model(std::uint64_t seed = 1, Index task_experts = 2) {
  return models::make<double>(AdaTT{.input_dim = sizes.input_dim,
                                    .num_tasks = sizes.num_tasks,
                                    .levels = sizes.levels(),
                                    .task_experts = {task_experts},
                                    .shared_experts = 1},
                              sizes, seed);
}

struct Batch {
  Matrix<double> x, labels, mask, weights;
};

Batch make_batch(Index rows, std::uint64_t seed = 5) {
  Batch batch{data::normal<double>(rows, sizes.input_dim, seed),
              data::binary<double>(rows, sizes.num_tasks, seed + 1),
              data::binary<double>(rows, sizes.num_tasks, seed + 2),
              data::normal<double>(rows, 1, seed + 3).cwiseAbs()};
  return batch;
}

bool equal_bits(const ParamBuffer<double>& a, const ParamBuffer<double>& b) {
  return std::ranges::equal(a.flat(), b.flat());
}

}  // namespace

TEST_CASE("the gradient does not depend on the tiles") {
  auto model = small_model();
  const Batch batch = make_batch(150);
  const Targets<double> targets{batch.labels, batch.mask, batch.weights};
  Trainer whole(model, data::binary_heads(3), SGD{.learning_rate = 0.1}, {.tile_rows = 150});
  const double loss = whole.compute_gradient(batch.x, targets);
  for (const Index tile_rows : {1, 7, 64, 149, 1000}) {
    Trainer tiled(model, data::binary_heads(3), SGD{.learning_rate = 0.1},
                  {.tile_rows = tile_rows});
    CHECK(std::abs(tiled.compute_gradient(batch.x, targets) - loss) < 1e-14);
    CHECK(difference(tiled.gradient(), whole.gradient()) < 1e-14);
  }
}

TEST_CASE("the gradient is that of the loss") {
  auto model = small_model();
  const Batch batch = make_batch(9);
  const Targets<double> targets{batch.labels, batch.mask, batch.weights};
  const std::vector<Head> heads{
      {.weight = 0.5}, {.kind = HeadKind::regression, .weight = 2}, {.pos_weight = 3}};
  Trainer trainer(model, heads, SGD{.learning_rate = 0.1}, {.tile_rows = 4});
  trainer.compute_gradient(batch.x, targets);
  const auto gradient = trainer.gradient();
  const double step = 1e-5;
  for (const auto& entry : model.table().entries()) {
    const auto numbers = model.values_of(entry.id);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const double value = numbers[i];
      numbers[i] = value + step;
      const double above = trainer.compute_gradient(batch.x, targets);
      numbers[i] = value - step;
      const double below = trainer.compute_gradient(batch.x, targets);
      numbers[i] = value;
      INFO(entry.name << "[" << i << "]");
      CHECK(std::abs((above - below) / (2 * step) - gradient.of(entry.id)[i]) < 1e-8);
    }
  }
}

TEST_CASE("steps are bitwise equal for every number of threads") {
  const Batch batch = make_batch(300);  // 19 tiles in 4 lanes
  const auto train = [&](Executor* executor) {
    auto model = small_model();
    Trainer trainer(model, data::binary_heads(3), Adam{.learning_rate = 1e-2},
                    {.tile_rows = 16, .lanes = 4, .executor = executor});
    for (int i = 0; i < 50; ++i) trainer.step(batch.x, batch.labels, batch.mask);
    return model.values();
  };
  const auto alone = train(nullptr);
  CHECK(equal_bits(alone, train(nullptr)));
  for (const Index threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(equal_bits(alone, train(&pool)));
  }
}

TEST_CASE("every architecture learns labels that its inputs determine") {
  Batch batch = make_batch(64);
  batch.labels = (batch.x.leftCols(3).array() > 0).cast<double>();
  for (const auto& [name, trunk] : models::all_trunks<double>(sizes)) {
    INFO(name);
    auto model = models::make(trunk, sizes);
    Trainer trainer(model, data::binary_heads(3), Adam{.learning_rate = 2e-2});
    const double first = trainer.step(batch.x, batch.labels);
    double last = first;
    for (int i = 0; i < 300; ++i) last = trainer.step(batch.x, batch.labels);
    CHECK(last < 0.5 * first);
  }
}

TEST_CASE("a model is a value: training a copy leaves the original") {
  const Batch batch = make_batch(20);
  auto model = small_model();
  const auto before = model.values();
  auto copy = model;
  Trainer trainer(copy, data::binary_heads(3), Adam{});
  trainer.step(batch.x, batch.labels);
  CHECK(equal_bits(model.values(), before));
  CHECK_FALSE(equal_bits(copy.values(), before));
  model = copy;
  CHECK(equal_bits(model.values(), copy.values()));
}

TEST_CASE("equal seeds give equal models, others do not") {
  CHECK(equal_bits(small_model(3).values(), small_model(3).values()));
  CHECK_FALSE(equal_bits(small_model(3).values(), small_model(4).values()));
}

TEST_CASE("a task without a valid label gets no gradient; without any, nothing moves") {
  auto model = small_model();
  Batch batch = make_batch(20);
  batch.mask.setOnes();
  batch.mask.col(1).setZero();
  batch.labels.col(1).setConstant(std::numeric_limits<double>::quiet_NaN());
  // Adam: its moments would move the parameters even under a gradient of zero.
  Trainer trainer(model, data::binary_heads(3), Adam{.learning_rate = 0.1});
  CHECK(std::isfinite(trainer.step(batch.x, batch.labels, batch.mask)));
  CHECK(trainer.task_losses()[1] == 0);
  const auto& gradient = trainer.gradient();
  CHECK(
      std::ranges::all_of(gradient.of("task_modules.1.1.weight"), [](double g) { return g == 0; }));
  CHECK(
      std::ranges::any_of(gradient.of("task_modules.0.1.weight"), [](double g) { return g != 0; }));

  const auto before = model.values();
  batch.mask.setZero();
  CHECK(trainer.step(batch.x, batch.labels, batch.mask) == 0);
  CHECK(equal_bits(model.values(), before));
  CHECK(trainer.optimizer().steps() == 1);
}

TEST_CASE("an empty batch changes nothing") {
  auto model = small_model();
  Trainer trainer(model, data::binary_heads(3), Adam{});
  const Batch batch = make_batch(8);
  trainer.step(batch.x, batch.labels);
  const auto before = model.values();
  const Matrix<double> none(0, sizes.input_dim), no_labels(0, 3);
  CHECK(trainer.step(none, no_labels) == 0);
  CHECK(equal_bits(model.values(), before));
  CHECK(trainer.optimizer().steps() == 1);
}

TEST_CASE("wrong data is refused before anything is changed") {
  auto model = small_model();
  const auto before = model.values();
  Trainer trainer(model, data::binary_heads(3), Adam{});
  Batch batch = make_batch(4);
  const Matrix<double> narrow = batch.x.leftCols(4);
  CHECK_THROWS_WITH(trainer.step(narrow, batch.labels),
                    "plait::Trainer: x: got [4, 1, 4], expected [batch, 1, 5]");
  const Matrix<double> few = batch.labels.topRows(3);
  CHECK_THROWS_AS(trainer.step(batch.x, few), ShapeError);
  batch.labels(2, 1) = 2;
  CHECK_THROWS_AS(trainer.step(batch.x, batch.labels), ValueError);
  batch.labels(2, 1) = 1;
  batch.x(1, 3) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(trainer.step(batch.x, batch.labels),
                    "plait::Trainer: x: got NaN or infinity in slot 0, expected finite numbers");
  CHECK(equal_bits(model.values(), before));
  CHECK(trainer.optimizer().steps() == 0);
}

TEST_CASE("inputs that overflow are refused and spoil nothing") {
  auto model = small_model();
  const auto before = model.values();
  Batch batch = make_batch(4);
  batch.x = batch.x.array().sign() * 1e308;
  Trainer trainer(model, data::binary_heads(3), Adam{});
  CHECK_THROWS_WITH(trainer.step(batch.x, batch.labels),
                    "plait::Trainer: gradient: got NaN or infinity, expected finite numbers");
  CHECK(equal_bits(model.values(), before));
  CHECK(trainer.optimizer().steps() == 0);
}

TEST_CASE("a model of other parameters under a trainer is refused, equal ones are taken") {
  auto model = small_model();
  Trainer trainer(model, data::binary_heads(3), Adam{});
  const Batch batch = make_batch(4);
  trainer.step(batch.x, batch.labels);
  model = small_model(2);
  trainer.step(batch.x, batch.labels);
  const auto kept = model.values();
  trainer.step(batch.x, batch.labels);
  model.load(kept);
  CHECK(equal_bits(model.values(), kept));
  model = small_model(1, 3);
  CHECK_THROWS_AS(trainer.step(batch.x, batch.labels), ShapeError);
}

TEST_CASE("an executor gets lanes to run") {
  struct Counting final : Executor {
    std::vector<Index> counts;
    void run(Index count, IndexTask task) override {
      counts.push_back(count);
      for (Index i = 0; i < count; ++i) task(i);
    }
  } executor;
  auto model = small_model();
  Trainer trainer(model, data::binary_heads(3), Adam{}, {.tile_rows = 4, .executor = &executor});
  // Weights are packed, lanes run and are summed, tensors move: 8 lanes at most, of 4 tiles or
  // more.
  for (const auto& [batch_size, lanes] : {std::pair<Index, Index>{4, 1}, {40, 2}, {1024, 8}}) {
    executor.counts.clear();
    const Batch batch = make_batch(batch_size);
    trainer.step(batch.x, batch.labels);
    INFO("batch " << batch_size);
    CHECK(executor.counts[1] == lanes);
    CHECK(executor.counts.size() == (lanes > 1 ? 4U : 3U));
    CHECK(executor.counts.back() == std::ssize(model.table().entries()));
  }
}

static_assert(!std::is_copy_constructible_v<Trainer<double>>);
static_assert(std::is_move_constructible_v<Trainer<double>>);

TEST_CASE("heads must fit the towers") {
  auto model = small_model();
  CHECK_THROWS_WITH(Trainer(model, data::binary_heads(2), Adam{}),
                    "plait::Trainer: heads: got 2, expected 3, one per task");
  CHECK_THROWS_WITH(
      Trainer(model, {Head{}, Head{.kind = HeadKind::multiclass, .classes = 4}, Head{}}, Adam{}),
      "plait::Trainer: head 1: got 4 logits, expected 1 as its tower");
  CHECK_THROWS_AS(Trainer(model, data::binary_heads(3), Adam{}, {.tile_rows = 0}), ConfigError);
  CHECK_THROWS_AS(Trainer(model, data::binary_heads(3), Adam{}, {.lanes = -1}), ConfigError);
}

TEST_CASE("multi-class and regression towers train beside binary ones") {
  Model<double> model(AdaTT{.input_dim = 5, .num_tasks = 3, .levels = {{6}}},
                      {.hidden = {{}, {4}, {3, 2}}, .outputs = {1, 4, 1}}, 2);
  CHECK(model.out_shape() == Shape{1, 6});
  const std::vector<Head> heads{
      {}, {.kind = HeadKind::multiclass, .classes = 4}, {.kind = HeadKind::regression}};
  Trainer trainer(model, heads, Adam{.learning_rate = 1e-2});
  Batch batch = make_batch(32);
  for (Index b = 0; b < 32; ++b) batch.labels(b, 1) = static_cast<double>(b % 4);
  const double first = trainer.step(batch.x, batch.labels);
  double last = first;
  for (int i = 0; i < 200; ++i) last = trainer.step(batch.x, batch.labels);
  CHECK(last < 0.5 * first);
}

namespace {

// A model with a tower for every kind of head, and rows with their targets.
struct EveryKind {
  every_kind::Batch<double> batch;
  Matrix<double> x;
  Model<double> model;

  explicit EveryKind(Index rows)
      : batch(rows),
        x(data::normal<double>(rows, 5, 8)),
        model(AdaTT{.input_dim = 5, .num_tasks = batch.tasks, .levels = {{6}}},
              {.hidden = {{}}, .outputs = outputs()}, 2) {}

  std::vector<Index> outputs() const {
    std::vector<Index> result;
    for (const Head& head : batch.loss.heads()) result.push_back(head.width());
    return result;
  }
};

}  // namespace

TEST_CASE("no group is cut: with every kind of head, the gradient does not depend on the tiles") {
  EveryKind all(60);
  Trainer whole(all.model, all.batch.loss.heads(), SGD{.learning_rate = 0.1}, {.tile_rows = 60});
  const double loss = whole.compute_gradient(all.x, all.batch.targets());
  for (const Index tile_rows : {1, 5, 16, 1000}) {
    ThreadPool pool(2);
    Trainer tiled(all.model, all.batch.loss.heads(), SGD{.learning_rate = 0.1},
                  {.tile_rows = tile_rows, .lanes = 3, .executor = &pool});
    CHECK(std::abs(tiled.compute_gradient(all.x, all.batch.targets()) - loss) < 1e-12);
    CHECK(difference(tiled.gradient(), whole.gradient()) < 1e-12 * global_norm(whole.gradient()));
  }
  // Groups of one row instead: another loss, so the groups above were whole.
  std::vector<std::int64_t> alone(60);
  for (std::size_t b = 0; b < alone.size(); ++b) alone[b] = static_cast<std::int64_t>(b);
  auto targets = all.batch.targets();
  targets.groups = alone;
  CHECK(std::abs(whole.compute_gradient(all.x, targets) - loss) > 1e-3);
}

TEST_CASE("groups that do not lie side by side are refused, not cut") {
  EveryKind all(20);
  Trainer trainer(all.model, all.batch.loss.heads(), Adam{});
  const auto before = all.model.values();
  std::swap(all.batch.groups.front(), all.batch.groups.back());
  CHECK_THROWS_AS(trainer.step(all.x, all.batch.targets()), ValueError);
  all.batch.groups.clear();
  CHECK_THROWS_WITH(trainer.step(all.x, all.batch.targets()),
                    "plait::MultiTaskLoss: groups: got 0 ids, expected 20, one per row");
  CHECK(equal_bits(all.model.values(), before));
}

TEST_CASE("with groups as well, no step but the first allocates") {
  EveryKind all(60);
  Trainer trainer(all.model, all.batch.loss.heads(), Adam{}, {.tile_rows = 16});
  const auto targets = all.batch.targets();
  const auto before_first = allocations::count();
  trainer.step(all.x, targets);
  const auto after_first = allocations::count();
  for (int i = 0; i < 3; ++i) trainer.step(all.x, targets);
  const auto at_end = allocations::count();
  CHECK(after_first > before_first);  // the counter counts
  CHECK(at_end == after_first);
}

TEST_CASE("every kind of head learns its labels") {
  EveryKind all(48);
  all.batch.mask.view().of_slot(0).setOnes();
  Trainer trainer(all.model, all.batch.loss.heads(), Adam{.learning_rate = 2e-2});
  trainer.step(all.x, all.batch.targets());
  const std::vector<double> first(trainer.task_losses().begin(), trainer.task_losses().end());
  for (int i = 0; i < 400; ++i) trainer.step(all.x, all.batch.targets());
  for (std::size_t t = 0; t < first.size(); ++t) {
    CAPTURE(t);
    CHECK(trainer.task_losses()[t] < 0.9 * first[t]);
  }
}

TEST_CASE("a step is its two halves") {
  const Batch batch = make_batch(20);
  auto stepped = small_model();
  auto applied = small_model();
  Trainer one(stepped, data::binary_heads(3), Adam{});
  Trainer two(applied, data::binary_heads(3), Adam{});
  for (int i = 0; i < 3; ++i) {
    const double loss = one.step(batch.x, batch.labels, batch.mask);
    CHECK(two.compute_gradient(batch.x, {batch.labels, batch.mask}) == loss);
    CHECK(two.has_gradient());
    two.apply(two.gradient());
  }
  CHECK(equal_bits(stepped.values(), applied.values()));

  const Matrix<double> none = Matrix<double>::Zero(20, 3);
  two.compute_gradient(batch.x, {batch.labels, none});
  CHECK_FALSE(two.has_gradient());
  auto bad = two.gradient();
  bad.flat()[0] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(two.apply(bad),
                    "plait::Trainer: gradient: got NaN or infinity, expected finite numbers");
  CHECK_THROWS_AS(two.apply(ParamBuffer<double>()), ShapeError);
  CHECK(equal_bits(stepped.values(), applied.values()));
}

TEST_CASE("hiding half the labels of one task leaves the others where they were") {
  // Labels from logistic models whose weights the tasks share in part.
  constexpr Index rows = 4000;
  const auto x = data::normal<double>(2 * rows, 5, 31);
  const auto noise = data::normal<double>(2 * rows, 3, 32);
  Matrix<double> labels(2 * rows, 3);
  for (Index t = 0; t < 3; ++t)
    labels.col(t) =
        ((x.col(t) + x.col(3) + 0.5 * x.col(4).cwiseAbs2() + 2 * noise.col(t)).array() > 1)
            .cast<double>();
  Matrix<double> mask = Matrix<double>::Ones(rows, 3);
  mask.col(1) = data::binary<double>(rows, 1, 33);
  REQUIRE(std::abs(mask.col(1).mean() - 0.5) < 0.02);

  // AUC of every task on the second half of the rows.
  const auto train = [&](View3<const double> train_mask) {
    auto model = small_model(4);
    Trainer trainer(model, data::binary_heads(3), Adam{.learning_rate = 5e-3});
    const View3<const double> all_x = x, all_labels = labels;
    for (int epoch = 0; epoch < 8; ++epoch)
      for (Index first = 0; first < rows; first += 250)
        trainer.step(all_x.rows(first, 250), all_labels.rows(first, 250),
                     train_mask ? train_mask.rows(first, 250) : train_mask);
    const auto logits = models::score<double>(model, x.bottomRows(rows));
    std::vector<double> result;
    for (Index t = 0; t < 3; ++t) {
      AUC auc;
      for (Index b = 0; b < rows; ++b) auc.add(logits(b, t), labels(rows + b, t));
      result.push_back(auc.value());
    }
    return result;
  };
  const auto full = train({});
  const auto half = train(mask);
  for (const std::size_t t : {0u, 1u, 2u}) {
    CAPTURE(t);
    CHECK(full[t] > 0.7);
    CHECK(half[t] != full[t]);
    if (t != 1) CHECK(std::abs(half[t] - full[t]) < 0.01);
  }
}
