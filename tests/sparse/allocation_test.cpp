// No step on features allocates after the first of its size, and neither does scoring.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "plait/core/parallel.hpp"
#include "plait/methods/geometric_mean.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/gradnorm.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/optim/adagrad.hpp"
#include "sparse/batches.hpp"
#include "sparse/training_state.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;
using sparse_test::Training;

namespace {

constexpr Index rows = 70;

const EmbeddingConfig config{
    .tables = {{.name = "item", .rows = 5000, .dim = 6}, {.name = "user", .rows = 10, .dim = 3}},
    .features = {{.name = "item"},
                 {.name = "history", .table = "item", .pooling = Pooling::mean},
                 {.name = "user"},
                 {.name = "seen", .table = "item", .weighted = true}},
    .dense = {Side::item}};

template <class Function>
std::size_t again(const Function& function) {
  function();
  const std::size_t before = allocations::count();
  function();
  function();
  return allocations::count() - before;
}

}  // namespace

TEST_CASE("steps on features allocate nothing after the first, of any kind and rule") {
  const auto batch = sparse_test::random_batch<float>(config, rows, 5, 1);
  const auto labels = data::binary<float>(rows, 2, 2);
  const Targets<float> targets{labels};
  const auto features = batch.view();
  ThreadPool pool(2);
  for (Executor* const executor : {static_cast<Executor*>(nullptr), static_cast<Executor*>(&pool)})
    for (const auto& rule :
         {RowRule<float>(SGD{}), RowRule<float>(Adagrad{}), RowRule<float>(RowwiseAdagrad{}),
          RowRule<float>(RowwiseAdam{}), RowRule<float>(LazyAdam{})}) {
      INFO(rule.name() << (executor == nullptr ? "" : ", with threads"));
      Training<float> training(
          config, rule,
          {.optimizer = {.clip_norm = 1}, .tile_rows = 4, .lanes = 3, .executor = executor});
      auto& trainer = training.trainer;
      const std::size_t before = allocations::count();
      CHECK(again([&] { trainer.step(features, targets); }) == 0);
      CHECK(allocations::count() > before);  // the counter counts
      CHECK(again([&] { trainer.step(features, labels); }) == 0);
      CHECK(again([&] { trainer.step(features.rows(3, 40), targets.rows(3, 40)); }) == 0);
      CHECK(again([&] {
              trainer.compute_gradient(features, targets);
              trainer.apply(trainer.gradient());
            }) == 0);
      LossWeighting losses(GeometricMean{}, 2);
      CHECK(again([&] { trainer.step(features, targets, losses); }) == 0);
      LossWeighting norms(GradNorm{}, 2);
      CHECK(again([&] { trainer.step(features, targets, norms); }) == 0);
      GradientBalancer<float> balancer(PCGrad{}, 2, training.model.values().shared_table(),
                                       trainer.shared());
      CHECK(again([&] { trainer.step(features, targets, balancer); }) == 0);
      Matrix<float> logits(rows, 2);
      CHECK(again([&] { trainer.score(features, logits); }) == 0);
      CHECK(again([&] { training.tables.check(features); }) == 0);
    }
}

TEST_CASE("a batch of other ids, and no more of them, allocates nothing") {
  Training<float> training(config, RowwiseAdagrad{});
  const auto labels = data::binary<float>(rows, 2, 2);
  const auto first = sparse_test::random_batch<float>(config, rows, 5, 1);
  std::vector<sparse_test::Bags> bags = first.bags();
  for (auto& of_feature : bags)
    for (std::uint64_t& id : of_feature.ids) id = id * 7 % 10;
  const sparse_test::Batch<float> second(rows, bags, first.dense());
  const auto one = first.view(), other = second.view();
  training.trainer.step(one, labels);
  const std::size_t before = allocations::count();
  training.trainer.step(other, labels);
  training.trainer.step(one, labels);
  const std::size_t after = allocations::count();
  CHECK(after == before);
}
