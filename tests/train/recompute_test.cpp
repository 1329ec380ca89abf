// Activations that backward computes again: the same bits in less memory.
#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/adatt.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/gradnorm.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/methods/upgrad.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "train/three_tasks.hpp"

using namespace plait;
using three_tasks::Batch;

namespace {

constexpr Index depth = 7;

// Widths that differ from level to level.
std::vector<Body> levels() {
  std::vector<Body> result;
  for (Index l = 0; l < depth; ++l) result.push_back({5 + l % 3, 4 + l % 2});
  return result;
}
std::vector<Trunk<double>> trunks() {
  const Index input = three_tasks::sizes.input_dim;
  return {PLE{.input_dim = input,
              .num_tasks = 3,
              .levels = levels(),
              .task_experts = {1},
              .shared_experts = 2},
          AdaTT{.input_dim = input, .num_tasks = 3, .levels = levels(), .task_experts = {2}},
          // Whose gates read the input at every level.
          MLMMoE{.input_dim = input, .num_tasks = 3, .num_experts = 3, .levels = levels()}};
}

bool equal(const ParamBuffer<double>& a, const ParamBuffer<double>& b) {
  return std::ranges::equal(a.flat(), b.flat());
}

struct Run {
  Run(Trunk<double> trunk, Index recompute, Executor* executor = nullptr)
      : model(std::move(trunk), {}, /*seed=*/3),
        trainer(model, three_tasks::heads(), Adam{.learning_rate = 0.01},
                {.tile_rows = 16,
                 .lanes = 2,
                 .executor = executor,
                 .expert_dropout = 0.3,
                 .seed = 5,
                 .recompute_levels = recompute}) {}
  Model<double> model;
  Trainer<double> trainer;
};

}  // namespace

TEST_CASE("recomputed activations give the same bits in every kind of step") {
  const Batch batch(150, 1);
  for (const auto& trunk : trunks())
    for (const Index recompute : {1, 2, 3, 6, 7, 100}) {
      INFO(recompute);
      Run kept(trunk, 0), again(trunk, recompute);
      for (int step = 0; step < 2; ++step) {
        CHECK(kept.trainer.step(batch.x, batch.targets()) ==
              again.trainer.step(batch.x, batch.targets()));
        CHECK(equal(kept.trainer.gradient(), again.trainer.gradient()));
      }
      kept.trainer.compute_task_gradients(batch.x, batch.targets());
      again.trainer.compute_task_gradients(batch.x, batch.targets());
      for (std::size_t t = 0; t < 3; ++t)
        CHECK(equal(kept.trainer.task_gradients()[t], again.trainer.task_gradients()[t]));
      const auto balance = [&](Run& run) {
        GradientBalancer<double> balancer(PCGrad{}, 3, run.model.values().shared_table(),
                                          run.trainer.shared());
        run.trainer.step(batch.x, batch.targets(), balancer);
      };
      balance(kept);
      balance(again);
      const auto balance_representation = [&](Run& run) {
        GradientBalancer<double> balancer(UPGrad{}, 3, run.model.values().shared_table(),
                                          run.trainer.shared());
        run.trainer.step(batch.x, batch.targets(), balancer, BalanceAt::representation);
      };
      balance_representation(kept);
      balance_representation(again);
      const auto weigh = [&](Run& run) {
        LossWeighting weighting(GradNorm{}, 3);
        run.trainer.step(batch.x, batch.targets(), weighting);
      };
      weigh(kept);
      weigh(again);
      CHECK(equal(kept.model.values(), again.model.values()));
    }
}

TEST_CASE("recomputed activations do not depend on threads") {
  const Batch batch(300, 1);
  for (const unsigned threads : {2u, 3u}) {
    ThreadPool pool(threads);
    Run several(trunks()[0], 2, &pool);
    Run alone(trunks()[0], 2);
    for (int step = 0; step < 2; ++step) {
      several.trainer.step(batch.x, batch.targets());
      alone.trainer.step(batch.x, batch.targets());
    }
    CHECK(equal(several.model.values(), alone.model.values()));
  }
}

TEST_CASE(
    "a workspace that recomputes serves backward as often as it is asked, forward of any kind") {
  const Batch batch(20, 3);
  const Model<double> model(trunks()[1], {}, /*seed=*/3);
  const auto& network = model.network();
  Sequential<double>::Workspace kept, again;
  Scratch scratch;
  Matrix<double> logits(20, 3);
  const auto gradient = [&](auto& workspace) {
    ParamBuffer<double> result(model.values().shared_table());
    network.backward(model.values(), batch.x, logits, batch.labels, {}, workspace, result, scratch);
    return result;
  };
  network.forward(model.values(), batch.x, logits, &kept, scratch);
  const auto expected = gradient(kept);
  for (const Index recompute : {3, 0, 1, 2}) {
    network.forward(model.values(), batch.x, logits, &again, scratch,
                    {.recompute_levels = recompute});
    CHECK(equal(gradient(again), expected));
    CHECK(equal(gradient(again), expected));
  }
}

TEST_CASE("recomputing takes the memory of a few levels and allocates once") {
  std::vector<Body> deep(32, Body{16, 16});
  const auto bytes = [&](Index recompute) {
    Model<double> model(PLE{.input_dim = three_tasks::sizes.input_dim,
                            .num_tasks = 3,
                            .levels = deep,
                            .task_experts = {1},
                            .shared_experts = 1},
                        {}, 3);
    Trainer trainer(model, three_tasks::heads(), SGD{},
                    {.tile_rows = 2048, .recompute_levels = recompute});
    const Batch batch(2048, 1);
    const std::size_t before = allocations::bytes();
    trainer.step(batch.x, batch.targets());
    const std::size_t first = allocations::bytes() - before;
    const std::size_t count = allocations::count();
    trainer.step(batch.x, batch.targets());
    CHECK(allocations::count() == count);
    return first;
  };
  const std::size_t all = bytes(0), few = bytes(4);
  CHECK(few * 3 < all);
}

TEST_CASE("recomputing levels of unequal depth allocates once") {
  std::vector<Body> levels;
  for (Index l = 0; l < 6; ++l) {
    const Activation f = l % 2 == 0 ? Activation::relu : Activation::gelu;
    levels.push_back(l % 3 == 0 ? Body{MLPConfig{{40, 30, 20}, f}} : Body{MLPConfig{{20}, f}});
  }
  Model<double> model(
      PLE{.input_dim = three_tasks::sizes.input_dim, .num_tasks = 3, .levels = levels}, {}, 3);
  Trainer trainer(model, three_tasks::heads(), SGD{}, {.tile_rows = 64, .recompute_levels = 2});
  const Batch batch(300, 1);
  trainer.step(batch.x, batch.targets());
  const std::size_t count = allocations::count();
  for (int i = 0; i < 3; ++i) trainer.step(batch.x, batch.targets());
  CHECK(allocations::count() == count);
}

TEST_CASE("a negative number of levels to recompute is refused") {
  Model<double> model(trunks()[0], {}, 1);
  CHECK_THROWS_WITH(Trainer(model, three_tasks::heads(), SGD{}, {.recompute_levels = -1}),
                    "plait::Trainer: recompute_levels: got -1, expected 0 or more");
}
