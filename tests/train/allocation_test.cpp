// No step of any kind allocates after the first of its kind, and neither does scoring: counted by
// replaced operator new and malloc, on all threads.
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "methods/all_methods.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/core/parallel.hpp"
#include "plait/losses/auxiliary_heads.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/optim/adam.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/gradient_mean.hpp"
#include "plait/train/trainer.hpp"
#include "plait/train/weight_average.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/models.hpp"

using namespace plait;

namespace {

constexpr models::Sizes sizes{};
constexpr Index tasks = 3;
constexpr Index rows = 70;

// Rows in groups of 1 to 4, about half of the labels missing.
struct Batch {
  Matrix<float> x = data::normal<float>(rows, sizes.input_dim, 1);
  Matrix<float> labels = data::binary<float>(rows, tasks, 2);
  Matrix<float> mask = data::binary<float>(rows, tasks, 3);
  Matrix<float> weights = Matrix<float>::Constant(rows, 1, 0.5f);
  std::vector<std::int64_t> groups;

  Batch() {
    for (Index b = 0; b < rows; ++b) groups.push_back(b / 4 + b / 7);
  }
  Targets<float> targets() const {
    return {.labels = labels, .mask = mask, .weights = weights, .groups = groups};
  }
};

std::vector<Head> heads() {
  return {{.weight = 0.5}, {.kind = HeadKind::regression, .weight = 2}, {}};
}

// Allocations of a call that was made before.
template <class Function>
std::size_t again(const Function& function) {
  function();
  const std::size_t before = allocations::count();
  function();
  function();
  return allocations::count() - before;
}

// Calls check(model) with every architecture.
template <class Check>
void for_each_model(const Check& check, const TowersConfig& towers = {.hidden = {{3}}}) {
  for (const auto& [name, trunk] : models::all_trunks<float>(sizes)) {
    INFO(name);
    Model<float> model(trunk, towers, 1);
    check(model);
  }
}

const TrainerOptions small_tiles{.optimizer = {.clip_norm = 1}, .tile_rows = 16};

}  // namespace

TEST_CASE("plain steps allocate nothing, whole or in halves, for fewer rows too") {
  const Batch batch;
  const auto targets = batch.targets();
  for_each_model([&](Model<float>& model) {
    Trainer trainer(model, heads(), Adam{}, small_tiles);
    CHECK(again([&] { trainer.step(batch.x, targets); }) == 0);
    CHECK(again([&] { trainer.step(batch.x, batch.labels); }) == 0);
    CHECK(again([&] {
            trainer.step(View3<const float>(batch.x).rows(0, 33), targets.rows(0, 33));
          }) == 0);
    CHECK(again([&] {
            trainer.compute_gradient(batch.x, targets);
            trainer.apply(trainer.gradient());
          }) == 0);
    CHECK(again([&] { trainer.compute_task_gradients(batch.x, targets); }) == 0);

    GradientMean<float> mean(model.values().shared_table());
    WeightAverage<float> average(model.values().shared_table(), 0.9);
    CHECK(again([&] {
            mean.add(trainer.gradient());
            trainer.apply(mean.values());
            mean.clear();
            average.update(model.values());
            trainer.load(average.values());
          }) == 0);
  });
}

TEST_CASE("a step without labels, or rows, allocates nothing") {
  const Batch batch;
  const Matrix<float> none = Matrix<float>::Zero(rows, tasks);
  for_each_model([&](Model<float>& model) {
    Trainer trainer(model, heads(), Adam{}, small_tiles);
    trainer.step(batch.x, batch.targets());
    CHECK(again([&] { trainer.step(batch.x, batch.labels, none); }) == 0);
    CHECK(again([&] {
            trainer.step(View3<const float>(batch.x).rows(0, 0), batch.targets().rows(0, 0));
          }) == 0);
  });
}

TEST_CASE("steps with a weighting allocate nothing, over a layer or all that is shared") {
  const Batch batch;
  const auto targets = batch.targets();
  for_each_model([&](Model<float>& model) {
    Trainer trainer(model, heads(), Adam{}, small_tiles);
    const ParamId first = model.table().entries().front().id;
    const ParamId last = model.table().entries().back().id;
    const std::vector<ParamRange> layer{{first.offset, first.size()}, {last.offset, last.size()}};
    methods_test::for_each_weighting_method([&](const char* method_name, const auto& method) {
      INFO(method_name);
      LossWeighting weighting(method, tasks);
      CHECK(again([&] { trainer.step(batch.x, targets, weighting); }) == 0);
      CHECK(again([&] { trainer.step(batch.x, targets, weighting, layer); }) == 0);
    });
  });
}

TEST_CASE("balanced steps allocate nothing, with methods of every kind") {
  const Batch batch;
  const auto targets = batch.targets();
  for_each_model([&](Model<float>& model) {
    Trainer trainer(model, heads(), Adam{}, small_tiles);
    methods_test::for_each_balancing_method([&](const char* method_name, const auto& method) {
      INFO(method_name);
      GradientBalancer<float> balancer(method, tasks, model.values().shared_table(),
                                       trainer.shared());
      CHECK(again([&] { trainer.step(batch.x, targets, balancer); }) == 0);
    });
  });
}

TEST_CASE("steps with groups allocate nothing") {
  const Batch batch;
  const std::vector<Head> grouped{{.kind = HeadKind::listwise},
                                  {.kind = HeadKind::pairwise},
                                  {.kind = HeadKind::jrc, .labels_of = 0}};
  // The last head has no labels of its own.
  auto targets = batch.targets();
  targets.labels = targets.labels.columns(0, 2);
  targets.mask = targets.mask.columns(0, 2);
  const auto check = [&](Model<float>& model) {
    Trainer trainer(model, grouped, Adam{}, small_tiles);
    CHECK(again([&] { trainer.step(batch.x, targets); }) == 0);
    GradientBalancer<float> balancer(PCGrad{}, tasks, model.values().shared_table(),
                                     trainer.shared());
    CHECK(again([&] { trainer.step(batch.x, targets, balancer); }) == 0);
    Matrix<float> logits(rows, tasks + 1);
    CHECK(again([&] { trainer.score(batch.x, logits); }) == 0);
  };
  for_each_model(check, {.hidden = {{3}}, .outputs = {1, 1, 2}});
}

TEST_CASE("steps with conditional heads allocate nothing") {
  const Batch batch;
  const auto targets = batch.targets();
  const std::vector<Head> chain{
      {}, {.kind = HeadKind::conditional, .given = 0}, {.kind = HeadKind::conditional, .given = 1}};
  for_each_model([&](Model<float>& model) {
    Trainer trainer(model, chain, Adam{}, small_tiles);
    CHECK(again([&] { trainer.step(batch.x, targets); }) == 0);
    CHECK(again([&] { trainer.compute_task_gradients(batch.x, targets); }) == 0);
  });
}

TEST_CASE("steps with small towers allocate nothing") {
  const Batch batch;
  const auto targets = batch.targets();
  const auto check = [&](Model<float>& model) {
    Trainer trainer(model, with_auxiliary(heads(), 0.3), Adam{}, small_tiles);
    CHECK(again([&] { trainer.step(batch.x, targets); }) == 0);
    CHECK(again([&] { trainer.compute_task_gradients(batch.x, targets); }) == 0);
    Matrix<float> logits(rows, 2 * tasks);
    CHECK(again([&] { trainer.score(batch.x, logits); }) == 0);
  };
  for_each_model(check, {.hidden = {{3}}, .small = {{}, {2}, {3, 2}}});
}

TEST_CASE("steps that drop experts allocate nothing") {
  const Batch batch;
  const auto targets = batch.targets();
  for_each_model([&](Model<float>& model) {
    if (!model.network().drops_experts()) return;
    Trainer trainer(model, heads(), Adam{}, {.tile_rows = 16, .expert_dropout = 0.3});
    CHECK(again([&] { trainer.step(batch.x, targets); }) == 0);
    LossWeighting weighting(GeometricMean{}, tasks);
    CHECK(again([&] { trainer.step(batch.x, targets, weighting); }) == 0);
  });
}

TEST_CASE(
    "steps that draw inside levels and towers allocate nothing, nor does scoring after them") {
  const Batch batch;
  const auto targets = batch.targets();
  const auto dropping = [](std::vector<Index> dims, Activation f) {
    return Body(MLPConfig(std::move(dims), f, true, 0.3));
  };
  for (const Index top : {0, 2}) {
    const PLE trunk{
        .input_dim = sizes.input_dim,
        .num_tasks = tasks,
        .levels = {dropping({6, 5}, Activation::relu), dropping({4}, Activation::silu)},
        .task_experts = {2},
        .gates = {{.body = dropping({3}, Activation::tanh), .noise = GateNoise{.top = top}}}};
    Model<float> model(trunk, {.hidden = {dropping({3}, Activation::relu)}}, 1);
    REQUIRE(model.network().draws());
    Trainer trainer(model, heads(), Adam{}, {.tile_rows = 16, .lanes = 2, .expert_dropout = 0.2});
    GradientBalancer<float> balancer(PCGrad{}, tasks, model.values().shared_table(),
                                     trainer.shared());
    LossWeighting weighting(GeometricMean{}, tasks);
    Matrix<float> logits(rows, tasks);
    CHECK(again([&] { trainer.step(batch.x, targets); }) == 0);
    CHECK(again([&] { trainer.step(batch.x, targets, balancer); }) == 0);
    CHECK(again([&] { trainer.step(batch.x, targets, weighting); }) == 0);
    CHECK(again([&] { trainer.score(batch.x, logits); }) == 0);
    const Scorer scorer(model, {.shared_inputs = {3, 0}});
    auto context = scorer.context(16);
    const std::size_t made = allocations::count();
    context.score(batch.x, logits);
    CHECK(allocations::count() == made);
  }
}

TEST_CASE("steps in lanes allocate nothing, with threads and without") {
  const Batch batch;
  const auto targets = batch.targets();
  ThreadPool pool(2);
  for (Executor* const executor : {static_cast<Executor*>(nullptr), static_cast<Executor*>(&pool)})
    for_each_model([&](Model<float>& model) {
      Trainer trainer(model, heads(), Adam{}, {.tile_rows = 4, .lanes = 3, .executor = executor});
      GradientBalancer<float> balancer(PCGrad{}, tasks, model.values().shared_table(),
                                       trainer.shared());
      LossWeighting weighting(GradNorm{}, tasks);
      Matrix<float> logits(rows, tasks);
      CHECK(again([&] { trainer.step(batch.x, targets); }) == 0);
      CHECK(again([&] { trainer.step(batch.x, targets, balancer); }) == 0);
      CHECK(again([&] { trainer.step(batch.x, targets, weighting); }) == 0);
      CHECK(again([&] { trainer.score(batch.x, logits); }) == 0);
    });
}

TEST_CASE("a trainer's first step of a kind is the only one that allocates, whatever came before") {
  const Batch batch;
  const auto targets = batch.targets();
  for_each_model([&](Model<float>& model) {
    Trainer trainer(model, heads(), Adam{}, small_tiles);
    GradientBalancer<float> balancer(RotoGrad{}, tasks, model.values().shared_table(),
                                     trainer.shared());
    LossWeighting norms(GradNorm{}, tasks);
    LossWeighting losses(STCH{}, tasks);
    Matrix<float> logits(rows, tasks);
    const auto all = [&] {
      trainer.step(batch.x, targets);
      trainer.step(batch.x, targets, balancer);
      trainer.score(batch.x, logits);
      trainer.step(batch.x, targets, norms);
      trainer.step(batch.x, targets, losses);
    };
    const std::size_t start = allocations::count();
    all();
    const std::size_t warm = allocations::count();
    for (int i = 0; i < 3; ++i) all();
    const std::size_t end = allocations::count();
    CHECK(warm > start);  // the counter counts
    CHECK(end == warm);
  });
}

TEST_CASE("scoring contexts allocate when they are made, and never again") {
  const Batch batch;
  for_each_model([&](Model<float>& model) {
    const Scorer scorer(model, {.shared_inputs = {3, 0}});
    auto context = scorer.context(16);
    Matrix<float> logits(rows, tasks);
    const Matrix<float> shared = batch.x.topLeftCorner(1, 2);
    const Matrix<float> own = batch.x.rightCols(sizes.input_dim - 2);
    const std::size_t made = allocations::count();
    context.score(shared, own, logits);
    context.score(batch.x, logits);
    const std::size_t end = allocations::count();
    CHECK(end == made);
  });
}
