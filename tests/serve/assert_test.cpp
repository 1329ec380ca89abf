// One user at a time, asserted: of a context, a trainer and a watch.
#include <stdexcept>

#undef PLAIT_COMPILED  // its assertions end the program
#define PLAIT_ASSERT(condition) \
  if (!(condition)) throw std::logic_error(#condition)

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "plait/core/one_user.hpp"
#include "plait/core/parallel.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/trainer.hpp"
#include "serve/small_model.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;
using serve::sizes, serve::small_model;

namespace {

// True when `use` is refused sooner or later while a second thread does the same.
template <class Use>
bool refused_in_two_threads(Use use) {
  std::atomic<bool> refused = false;
  const auto run = [&](int thread) {
    for (int i = 0; i < 100000 && !refused; ++i) {
      try {
        use(thread);
      } catch (const std::logic_error&) {
        refused = true;
      }
    }
  };
  std::thread other(run, 1);
  run(0);
  other.join();
  return refused;
}

// Uses the trainer that it works for.
struct Reentrant final : Executor {
  FunctionRef<void()> use;
  explicit Reentrant(FunctionRef<void()> what) : use(what) {}
  void run(Index count, IndexTask task) override {
    use();
    for (Index i = 0; i < count; ++i) task(i);
  }
};

}  // namespace

TEST_CASE("a context in use is not used by another thread") {
  const Scorer scorer(small_model());
  auto context = scorer.context();
  const auto x = data::normal<double>(500, sizes.input_dim, 3);
  Matrix<double> logits[2];
  for (auto& each : logits) each.resize(500, sizes.num_tasks);
  CHECK(refused_in_two_threads(
      [&](int thread) { context.score(x, logits[static_cast<std::size_t>(thread)]); }));
}

TEST_CASE("a context in use is not used by another thread for requests with shared columns") {
  const Scorer scorer(small_model(), {.shared_inputs = {0, 1}});
  auto context = scorer.context();
  const auto shared = data::normal<double>(1, 2, 3);
  const auto rows = data::normal<double>(500, sizes.input_dim - 2, 4);
  Matrix<double> logits[2];
  for (auto& each : logits) each.resize(500, sizes.num_tasks);
  CHECK(refused_in_two_threads(
      [&](int thread) { context.score(shared, rows, logits[static_cast<std::size_t>(thread)]); }));
}

TEST_CASE("contexts may be used one after another, moved, and after an error") {
  const Scorer scorer(small_model());
  auto first = scorer.context();
  const auto x = data::normal<double>(5, sizes.input_dim, 3);
  Matrix<double> logits(5, sizes.num_tasks), wrong(5, 1);
  CHECK_THROWS_AS(first.score(x, wrong), ShapeError);
  first.score(x, logits);
  auto second = std::move(first);
  std::thread([&] { second.score(x, logits); }).join();
  CHECK_THROWS_AS(first.score(x, logits), std::logic_error);  // it was moved from
}

TEST_CASE("a context is not used once its scorer is gone") {
  auto scorer = std::make_unique<const Scorer<double>>(small_model());
  auto context = scorer->context();
  scorer.reset();
  const auto x = data::normal<double>(5, sizes.input_dim, 3);
  Matrix<double> logits(5, sizes.num_tasks);
  CHECK_THROWS_AS(context.score(x, logits), std::logic_error);
}

TEST_CASE("a trainer in use is not used meanwhile") {
  auto model = small_model();
  const auto x = data::normal<double>(20, sizes.input_dim, 3);
  const auto labels = data::binary<double>(20, sizes.num_tasks, 4);
  Matrix<double> logits(20, sizes.num_tasks);
  Trainer<double>* trainer = nullptr;
  bool busy = false;
  const auto use = [&] {
    if (!busy) return;
    CHECK_THROWS_AS(trainer->score(x, logits), std::logic_error);
    CHECK_THROWS_AS(trainer->compute_gradient(x, {labels}), std::logic_error);
    CHECK_THROWS_AS(trainer->compute_task_gradients(x, {labels}), std::logic_error);
    CHECK_THROWS_AS(trainer->apply(model.values()), std::logic_error);
  };
  Reentrant executor(use);
  Trainer<double> made(model, data::binary_heads(sizes.num_tasks), SGD{.learning_rate = 0.1},
                       {.executor = &executor});
  trainer = &made;
  busy = true;
  made.step(x, labels);
  made.score(x, logits);
}
