#include "plait/train/asynchronous_updates.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/cross_stitch.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/architectures/snr.hpp"
#include "plait/core/parallel.hpp"
#include "plait/io/checkpoint_part.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/penalties/norms.hpp"
#include "plait/penalties/penalties.hpp"
#include "plait/train/trainer.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/difference.hpp"
#include "train/three_tasks.hpp"

using namespace plait;
using three_tasks::Batch;

namespace {

using Updates = AsynchronousUpdates<double>;

Model<double> model(Trunk<double> trunk = SharedBottom{
                        .input_dim = three_tasks::sizes.input_dim, .num_tasks = 3, .expert = {6}}) {
  return Model<double>(std::move(trunk), {.hidden = {{4}}}, /*seed=*/7);
}

struct Run {
  explicit Run(AsynchronousOptions options, Rule<double> rule = Adam{.learning_rate = 0.01},
               TrainerOptions of_trainer = {}, Model<double> of = model())
      : ranker(std::move(of)),
        trainer(ranker, three_tasks::heads(), std::move(rule), std::move(of_trainer)),
        updates(ranker.values().shared_table(), trainer.reach(), std::move(options)) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  double step(const Batch& batch) { return trainer.step(batch.x, batch.targets(), updates); }

  Model<double> ranker;
  Trainer<double> trainer;
  Updates updates;
};

// The task whose own a parameter is, by the names of SharedBottom; 3 for what is shared.
std::size_t owner(const std::string& name) {
  for (std::size_t t = 0; t < 3; ++t)
    if (name.find("task_modules." + std::to_string(t) + ".") != std::string::npos) return t;
  return 3;
}

bool equal(const ParamBuffer<double>& a, const ParamBuffer<double>& b) {
  return std::ranges::equal(a.flat(), b.flat());
}

}  // namespace

TEST_CASE("asynchronous updates after every batch are plain steps") {
  Run run({.shared_samples = 40, .task_samples = {40}});
  auto plain = model();
  Trainer trainer(plain, three_tasks::heads(), Adam{.learning_rate = 0.01});
  for (std::uint64_t step = 0; step < 5; ++step) {
    const Batch batch(40, 10 * step);
    const double loss = trainer.step(batch.x, {.labels = batch.labels});
    CHECK(std::abs(run.trainer.step(batch.x, {.labels = batch.labels}, run.updates) - loss) <
          1e-12);
    CHECK(difference(run.ranker.values(), plain.values()) < 1e-12);
  }
  CHECK(run.trainer.optimizer().steps() == 5);
  for (Index p = 0; p < 4; ++p) {
    CHECK(run.updates.moves(p) == 5);
    CHECK(run.updates.samples_seen(p) == 0);
  }
}

TEST_CASE("a number of labels is counted, not what rounding leaves of its reciprocal") {
  // 1 / (1 / 99) is less than 99.
  Run run({.shared_samples = 99, .task_samples = {99}});
  const Batch batch(99, 1);
  run.trainer.step(batch.x, {.labels = batch.labels}, run.updates);
  for (Index p = 0; p < 4; ++p) CHECK(run.updates.moves(p) == 1);
}

TEST_CASE("asynchronous updates move what a loop over samples would") {
  // SGD with momentum and decay written down by hand, gradients sample by sample.
  const double rate = 0.1, momentum = 0.9, decay = 0.01;
  const std::array<double, 4> samples{30, 7, 55, 64};  // of the three tasks, and of all
  Run run({.shared_samples = samples[3], .task_samples = {30, 7, 55}},
          SGD{.learning_rate = rate, .momentum = momentum, .weight_decay = decay});
  auto ranker = model();
  Trainer trainer(ranker, three_tasks::heads(), SGD{});
  const auto table = ranker.values().shared_table();
  ParamBuffer<double> values = ranker.values(), sums(table), velocity(table);
  std::array<double, 4> seen{};
  std::array<Index, 4> moves{};
  for (std::uint64_t step = 0; step < 12; ++step) {
    const Batch batch(20, 10 * step + 100);
    Matrix<double> weights(20, 1);
    for (Index b = 0; b < 20; ++b) weights(b, 0) = 0.5 + 0.1 * static_cast<double>(b % 7);
    run.trainer.step(batch.x, {.labels = batch.labels, .mask = batch.mask, .weights = weights},
                     run.updates);
    for (Index b = 0; b < 20; ++b) {
      const Matrix<double> x = batch.x.row(b), labels = batch.labels.row(b);
      for (Index t = 0; t < 3; ++t) {
        if (batch.mask(b, t) == 0) continue;
        Matrix<double> mask = Matrix<double>::Zero(1, 3);
        mask(0, t) = 1;
        trainer.compute_gradient(x, {.labels = labels, .mask = mask});
        for (std::size_t k = 0; k < sums.flat().size(); ++k)
          sums.flat()[k] += weights(b, 0) * trainer.gradient().flat()[k];
        seen[static_cast<std::size_t>(t)] += weights(b, 0);
      }
      seen[3] += weights(b, 0);
    }
    for (const ParamEntry& entry : table->entries()) {
      const std::size_t p = owner(entry.name);
      if (seen[p] < samples[p]) continue;
      for (Index k = entry.id.offset; k < entry.id.offset + entry.id.size(); ++k) {
        const auto i = static_cast<std::size_t>(k);
        const double gradient = sums.flat()[i] / seen[p] + decay * values.flat()[i];
        velocity.flat()[i] = moves[p] == 0 ? gradient : momentum * velocity.flat()[i] + gradient;
        values.flat()[i] -= rate * velocity.flat()[i];
        sums.flat()[i] = 0;
      }
    }
    for (std::size_t p = 0; p < 4; ++p)
      if (seen[p] >= samples[p]) {
        seen[p] = 0;
        ++moves[p];
      }
    trainer.load(values);
    CHECK(difference(run.ranker.values(), values) < 1e-12);
    for (std::size_t p = 0; p < 4; ++p) {
      CHECK(run.updates.moves(static_cast<Index>(p)) == moves[p]);
      CHECK(std::abs(run.updates.samples_seen(static_cast<Index>(p)) - seen[p]) < 1e-12);
    }
  }
  for (const Index count : moves) CHECK(count >= 1);
  CHECK(moves[1] > moves[0]);
}

TEST_CASE("what is not due stays, with its moments, and its first move is the first") {
  Run run({.shared_samples = 40, .task_samples = {40, 40, 1000}});
  const ParamBuffer<double> start = run.ranker.values();
  const Batch batch(40, 1);
  const auto step = [&] { run.trainer.step(batch.x, {.labels = batch.labels}, run.updates); };
  const auto largest_move = [&](std::size_t of) {
    double largest = 0;
    for (const ParamEntry& entry : start.table().entries())
      for (std::size_t k = 0; owner(entry.name) == of && k < start.of(entry.id).size(); ++k)
        largest = std::max(largest,
                           std::abs(run.ranker.values().of(entry.id)[k] - start.of(entry.id)[k]));
    return largest;
  };
  for (int i = 0; i < 24; ++i) step();
  CHECK(largest_move(2) == 0);
  CHECK(largest_move(0) > 0.05);
  for (const auto& moment : run.trainer.optimizer().moments())
    for (const ParamEntry& entry : start.table().entries())
      if (owner(entry.name) == 2)
        for (const double number : moment.of(entry.id)) CHECK(number == 0);
  step();
  // Adam's first move is its rate, whatever the gradient, once the bias is corrected.
  CHECK(std::abs(largest_move(2) - 0.01) < 1e-6);
}

TEST_CASE("a tensor that several tasks reach, in whole or in part, is shared") {
  // Rows of a stitch matrix belong to one task each, the matrix to all.
  Run run({.shared_samples = 20, .task_samples = {1e9}}, SGD{.learning_rate = 0.1}, {},
          model(CrossStitch{
              .input_dim = three_tasks::sizes.input_dim, .num_tasks = 3, .levels = {{5}, {4}}}));
  const ParamBuffer<double> start = run.ranker.values();
  run.step(Batch(20, 3));
  bool stitched = false;
  for (const ParamEntry& entry : start.table().entries()) {
    const bool moved = !std::ranges::equal(run.ranker.values().of(entry.id), start.of(entry.id));
    if (entry.name.find("stitch") != std::string::npos) stitched = stitched || moved;
    if (owner(entry.name) < 3) CHECK_FALSE(moved);
  }
  CHECK(stitched);
}

TEST_CASE("asynchronous updates do not depend on threads") {
  const auto values = [](unsigned threads) {
    ThreadPool pool(threads);
    Run run({.shared_samples = 100, .task_samples = {30, 60, 90}}, Adam{.learning_rate = 0.01},
            {.tile_rows = 8, .lanes = 4, .executor = threads > 1 ? &pool : nullptr, .seed = 4},
            model(SNR{.input_dim = three_tasks::sizes.input_dim,
                      .num_tasks = 3,
                      .num_experts = 2,
                      .levels = {5, 4}}));
    for (std::uint64_t step = 0; step < 6; ++step) run.step(Batch(50, step));
    return run.ranker.values();
  };
  const auto one = values(1);
  for (const unsigned threads : {2u, 3u, 8u}) CHECK(equal(values(threads), one));
}

TEST_CASE("a network that draws does so anew in every batch, moved or not") {
  Run run({.shared_samples = 1e6, .task_samples = {1e6}}, SGD{}, {.seed = 4},
          model(SNR{.input_dim = three_tasks::sizes.input_dim,
                    .num_tasks = 3,
                    .num_experts = 2,
                    .levels = {5, 4}}));
  const Batch batch(30, 1);
  const double first = run.step(batch), second = run.step(batch);
  CHECK(first != second);
  CHECK(run.trainer.optimizer().steps() == 2);
}

TEST_CASE("penalties and clipping see what moves") {
  // The norm that is clipped is that of the towers of one task, with their penalty.
  const Batch batch(40, 2);
  Run run({.shared_samples = 1e6, .task_samples = {40, 1e6, 1e6}}, SGD{.learning_rate = 1},
          {.optimizer = {.clip_norm = 1e-3}});
  Penalties<double> penalties(run.ranker.values().shared_table(), {{"l2", L2{.weight = 0.5}}});
  run.trainer.set_penalties(&penalties);
  const ParamBuffer<double> start = run.ranker.values();
  run.trainer.step(batch.x, {.labels = batch.labels}, run.updates);
  double squared = 0;
  for (const ParamEntry& entry : start.table().entries())
    for (std::size_t k = 0; k < start.of(entry.id).size(); ++k) {
      const double moved = run.ranker.values().of(entry.id)[k] - start.of(entry.id)[k];
      if (owner(entry.name) != 0) CHECK(moved == 0);
      squared += moved * moved;
    }
  CHECK(std::abs(std::sqrt(squared) - 1e-3) < 1e-8);  // the coefficient divides by norm + 1e-6
  CHECK(penalties.values()[0] > 0);
}

TEST_CASE("a batch that is refused is not counted, nor one without labels") {
  Run run({.shared_samples = 100, .task_samples = {100}});
  const Batch batch(30, 1);
  run.step(batch);
  const auto state = run.updates.state().numbers;
  const ParamBuffer<double> sum = run.updates.buffers()[0];
  const Matrix<double> huge = 1e250 * batch.x;
  CHECK_THROWS_AS(run.trainer.step(huge, batch.targets(), run.updates), ValueError);
  const Matrix<double> none = Matrix<double>::Zero(30, 3);
  CHECK(run.trainer.step(batch.x, {.labels = batch.labels, .mask = none}, run.updates) == 0);
  CHECK(run.updates.state().numbers == state);
  CHECK(equal(run.updates.buffers()[0], sum));
}

TEST_CASE("sums of very many small gradients lose nothing") {
  auto ranker = Model<float>(SharedBottom{.input_dim = 1, .num_tasks = 1}, {}, 1);
  Trainer<float> trainer(ranker, data::binary_heads(1), SGD{});
  const auto table = ranker.values().shared_table();
  AsynchronousUpdates<float> updates(table, trainer.reach(),
                                     {.shared_samples = 4e6, .task_samples = {4e6}});
  ParamBuffer<float> gradient(table);
  std::ranges::fill(gradient.flat(), 0.1f);
  const double labelled = 1;
  for (int i = 0; i < 4'000'000; ++i) {
    updates.prepare(gradient, {&labelled, 1}, 1);
    if (i + 1 < 4'000'000) updates.commit(gradient);
  }
  for (const Index number : updates.numbers()) CHECK(number == 1);
  for (const ParamEntry& entry : table->entries())
    for (const float mean : updates.values().of(entry.id))
      CHECK(std::abs(mean - 0.1f) <= std::numeric_limits<float>::epsilon());
}

TEST_CASE("asynchronous updates go on from a stored state bit for bit") {
  const AsynchronousOptions options{.shared_samples = 100, .task_samples = {30, 60, 90}};
  Run whole(options), first(options);
  for (std::uint64_t step = 0; step < 5; ++step) {
    whole.step(Batch(50, step));
    first.step(Batch(50, step));
  }
  Run second(options);
  second.ranker.load(first.ranker.values());
  second.trainer.optimizer().restore(first.trainer.optimizer().steps(),
                                     first.trainer.optimizer().moments());
  const CheckpointPart<double> stored("updates", first.updates);
  const CheckpointPart<double> resumed("updates", second.updates);
  resumed.prepare(stored.state(), {stored.buffers().begin(), stored.buffers().end()})();
  for (std::uint64_t step = 5; step < 12; ++step) {
    whole.step(Batch(50, step));
    second.step(Batch(50, step));
  }
  CHECK(equal(second.ranker.values(), whole.ranker.values()));
  CHECK(second.updates.state().numbers == whole.updates.state().numbers);
}

TEST_CASE("sums beyond what the scalar holds are refused before anything moves") {
  auto ranker = Model<float>(SharedBottom{.input_dim = 1, .num_tasks = 1}, {}, 1);
  Trainer<float> trainer(ranker, data::binary_heads(1), SGD{});
  const auto table = ranker.values().shared_table();
  AsynchronousUpdates<float> updates(table, trainer.reach(),
                                     {.shared_samples = 10, .task_samples = {10}});
  ParamBuffer<float> gradient(table);
  std::ranges::fill(gradient.flat(), 3e38f);
  const double labelled = 1;
  updates.prepare(gradient, {&labelled, 1}, 1);
  updates.commit(gradient);
  CHECK_THROWS_AS(updates.prepare(gradient, {&labelled, 1}, 1), ValueError);
  CHECK(updates.samples_seen(0) == 1);
  gradient.set_zero();
  CHECK_NOTHROW(updates.prepare(gradient, {&labelled, 1}, 1));
}

TEST_CASE("asynchronous updates do not allocate after the first") {
  Run run({.shared_samples = 100, .task_samples = {30, 60, 90}});
  const Batch batch(50, 1);
  run.step(batch);
  const auto before = allocations::count();
  for (int i = 0; i < 5; ++i) run.step(batch);
  const auto after = allocations::count();
  CHECK(after == before);
}

TEST_CASE("asynchronous updates refuse what does not fit") {
  auto ranker = model();
  Trainer trainer(ranker, three_tasks::heads(), SGD{});
  const auto table = ranker.values().shared_table();
  const auto make = [&](double shared, std::vector<double> tasks) {
    return Updates(table, trainer.reach(),
                   {.shared_samples = shared, .task_samples = std::move(tasks)});
  };
  CHECK_THROWS_WITH(make(0, {1}),
                    "plait::AsynchronousUpdates: shared_samples: got 0, expected a finite number "
                    "above 0");
  CHECK_THROWS_WITH(make(1, {1, 2}),
                    "plait::AsynchronousUpdates: task_samples: got 2, expected 1 or 3");
  CHECK_THROWS_AS(make(1, {1, -1, 1}), ConfigError);
  CHECK_THROWS_AS(make(std::numeric_limits<double>::infinity(), {1}), ConfigError);
  CHECK_THROWS_AS(make(1, {std::nan("")}), ConfigError);

  Updates updates = make(10, {10});
  const auto restore = [&](std::vector<double> numbers, std::size_t buffers = 2) {
    updates.restore({.numbers = std::move(numbers)},
                    std::vector<ParamBuffer<double>>(buffers, ParamBuffer<double>(table)));
  };
  CHECK_NOTHROW(restore({1, 2, 3, 4, 0, 1, 2, 3}));
  CHECK(updates.moves(3) == 3);
  CHECK_THROWS_AS(restore({1, 2, 3, 4, 0, 1, 2}), ConfigError);
  CHECK_THROWS_AS(restore({1, 2, 3, 10, 0, 1, 2, 3}), ConfigError);
  CHECK_THROWS_AS(restore({-1, 2, 3, 4, 0, 1, 2, 3}), ConfigError);
  CHECK_THROWS_AS(restore({std::nan(""), 2, 3, 4, 0, 1, 2, 3}), ConfigError);
  CHECK_THROWS_AS(restore({1, 2, 3, 4, 0.5, 1, 2, 3}), ConfigError);
  CHECK_THROWS_AS(restore({1, 2, 3, 4, 0, 1, 2, 1e300}), ConfigError);
  CHECK_THROWS_AS(restore({1, 2, 3, 4, 0, 1, 2, 3}, 1), ShapeError);
  CHECK(updates.samples_seen(0) == 1);

  auto other =
      model(SharedBottom{.input_dim = three_tasks::sizes.input_dim, .num_tasks = 3, .expert = {5}});
  Trainer of_other(other, three_tasks::heads(), SGD{});
  const Batch batch(20, 1);
  CHECK_THROWS_AS(of_other.step(batch.x, batch.targets(), updates), ShapeError);
  ParamBuffer<double> values = ranker.values();
  CHECK_THROWS_AS(trainer.optimizer().step_some(values, values, std::vector<Index>{1}), ShapeError);
  std::vector<Index> numbers(table->entries().size(), 1);
  numbers.back() = -1;
  CHECK_THROWS_AS(trainer.optimizer().step_some(values, values, numbers), ConfigError);
  CHECK(std::ranges::equal(values.flat(), ranker.values().flat()));

  // Sums over pairs of a group are no sums over labelled samples.
  std::vector<Head> heads = three_tasks::heads();
  heads[0] = {.kind = HeadKind::pairwise};
  Trainer grouped(ranker, heads, SGD{});
  const std::vector<std::int64_t> groups(20, 1);
  CHECK_THROWS_WITH(
      grouped.step(batch.x, {.labels = batch.labels, .groups = groups}, updates),
      "plait::Trainer: updates: got some, with losses of groups of rows, expected heads whose "
      "losses are sums over rows");
}
