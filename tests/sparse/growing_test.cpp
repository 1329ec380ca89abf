// Growing tables while they train: against slow ones, refused, on threads, scored and frozen.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "plait/core/parallel.hpp"
#include "plait/embeddings.hpp"
#include "plait/methods/geometric_mean.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "sparse/batches.hpp"
#include "sparse/growing_reference.hpp"
#include "sparse/training_state.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using Catch::Matchers::Message;
using namespace plait;
using sparse_test::Bags;
using sparse_test::Batch;
using sparse_test::Growth;
using sparse_test::Training;

namespace {

EmbeddingConfig config(Index rows = 40, Index admission = 1) {
  return {.tables = {{.name = "item",
                      .rows = rows,
                      .dim = 4,
                      .reserved = 1,
                      .growing = true,
                      .admission = admission},
                     {.name = "user", .rows = 10, .dim = 3}},
          .features = {{.name = "item", .weighted = true},
                       {.name = "seen", .table = "item", .pooling = Pooling::mean},
                       {.name = "user"}}};
}

// Rows of ids that few share, `step` after `step` others.
template <class S = float>
Batch<S> batch_of(Index rows, std::uint64_t step, float weight = 1) {
  Bags items, seen, users;
  seen.offsets.push_back(0);
  for (Index b = 0; b < rows; ++b) {
    const auto row = static_cast<std::uint64_t>(b);
    items.ids.push_back(mix64(step + row % 9));
    items.weights.push_back(weight);
    for (std::uint64_t i = 0; i < row % 3; ++i) seen.ids.push_back(mix64(2 * step + i * row));
    seen.offsets.push_back(std::ssize(seen.ids));
    users.ids.push_back(row % 10);
  }
  return {rows, {items, seen, users}};
}

const Matrix<float> labels = data::binary<float>(40, 2, 1);

// Bytes that are in memory, 0 where the system does not tell.
std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * 4096;
}

}  // namespace

TEMPLATE_TEST_CASE("growing tables: ids, counts, values and state are those of slow ones", "",
                   float, double) {
  for (const Index admission : {1, 2, 5}) {
    INFO("admission " << admission);
    Growth<TestType> growth(61, admission, 8);
    for (int step = 0; step < 12000; ++step) {
      growth.step();
      if (const std::string wrong = growth.compare(); !wrong.empty())
        FAIL("step " << step << ": " << wrong);
    }
    CHECK(growth.slow().taken() > 200);  // it was full, often
  }
}

TEST_CASE("growing tables: ten million steps", "[.long]") {
  for (const Index admission : {1, 3}) {
    Growth<float> growth(400, admission, 4);
    std::size_t before = 0;
    for (int step = 0; step < 5000000; ++step) {
      growth.step();
      if (step % 1000 != 0) continue;
      if (const std::string wrong = growth.compare(); !wrong.empty())
        FAIL("step " << step << ": " << wrong);
      if (step == 500000) before = resident_bytes();
    }
    WARN("admission " << admission << ": " << growth.slow().taken() << " rows were taken, "
                      << before << " bytes were resident after 500,000 steps, " << resident_bytes()
                      << " after 5,000,000");
    CHECK(growth.slow().taken() > 100000);
    CHECK(resident_bytes() <= before + (std::size_t{1} << 20));
  }
}

TEST_CASE("growing tables: an id that comes back starts as it started before") {
  Training<double> training(config(11), LazyAdam{});
  const auto labels_of = data::binary<double>(1, 2, 1);
  const auto step = [&](std::uint64_t id) {
    const Batch<double> batch(1,
                              {{.ids = {id}, .weights = {1}}, {.offsets = {0, 0}}, {.ids = {0}}});
    training.trainer.step(batch.view(), labels_of);
  };
  const auto numbers = [&](std::uint64_t id) {
    const auto row = training.tables.row(0, static_cast<Index>(training.tables.ids(0)->row(id)));
    return std::vector<double>(row.begin(), row.end());
  };
  const auto state = [&](std::uint64_t id) {
    const auto all = training.rows.state(0).subspan(8 * training.tables.ids(0)->row(id), 8);
    return std::vector<double>(all.begin(), all.end());
  };
  const std::uint64_t large = std::numeric_limits<std::uint64_t>::max();
  step(large);
  REQUIRE(training.tables.ids(0)->row(large) == 1);
  const auto first = numbers(large);
  CHECK(std::ranges::count(first, 0.0) == 0);
  CHECK(state(large) == std::vector<double>(8));
  step(large);
  CHECK(numbers(large) != first);
  CHECK(std::ranges::count(state(large), 0.0) == 0);
  for (std::uint64_t id = 0; id < 10; ++id) step(id);  // the last finds no row free
  REQUIRE(training.tables.ids(0)->row(large) == 0);
  CHECK(std::ranges::count(training.tables.row(0, 1), 0.0) == 4);
  step(large);
  REQUIRE(training.tables.ids(0)->row(large) == 1);
  CHECK(numbers(large) == first);
  CHECK(state(large) == std::vector<double>(8));
  // It is the id that says what it starts with, not its row.
  EmbeddingTables<double> other(config(11), 3);
  other.start_row(0, 7, large);
  CHECK(std::ranges::equal(other.row(0, 7), first));
}

TEST_CASE("growing tables: until it was seen often enough an id trains row 0") {
  Training<float> training(config(40, 3), SGD{.learning_rate = 0.5});
  const Batch<float> batch(
      2, {{.ids = {5, 6}, .weights = {1, 1}}, {.ids = {5}, .offsets = {0, 1, 1}}, {.ids = {1, 2}}});
  const Matrix<float> of_two = labels.topRows(2);
  const auto row = [&](Index r) {
    const auto numbers = training.tables.row(0, r);
    return std::vector<float>(numbers.begin(), numbers.end());
  };
  const std::vector<float> zero(4);
  CHECK(row(0) == zero);
  training.trainer.step(batch.view(), of_two);  // 5 twice, 6 once
  const auto shared = row(0);
  CHECK(shared != zero);
  CHECK(row(1) == zero);
  training.trainer.step(batch.view(), of_two);
  CHECK(row(0) != shared);
  const auto later = row(0);
  CHECK(training.tables.ids(0)->row(5) == 1);
  CHECK(training.tables.ids(0)->row(6) == 0);
  const auto started = row(1);
  training.trainer.step(batch.view(), of_two);
  CHECK(row(1) != started);
  CHECK(row(0) != later);
  CHECK(training.tables.ids(0)->row(6) == 2);
  const auto last = row(0);
  training.trainer.step(batch.view(), of_two);
  CHECK(row(0) == last);
}

TEST_CASE("growing tables: what is refused leaves rows, state, ids and counts as they were") {
  Training<float> training(config(), LazyAdam{}, {.tile_rows = 4, .lanes = 2});
  auto& trainer = training.trainer;
  for (std::uint64_t step = 0; step < 9; ++step) trainer.step(batch_of(40, step).view(), labels);
  const auto before = training.state();
  const auto batch = batch_of(40, 100);

  CHECK_THROWS_AS(trainer.step(batch_of(39, 100).view(), labels), ShapeError);
  CHECK_THROWS_AS(trainer.step(batch_of(40, 100, std::nanf("")).view(), labels), ValueError);
  CHECK((training.state() == before));
  Matrix<float> wrong = labels;
  wrong(39, 1) = std::nanf("");
  CHECK_THROWS_AS(trainer.step(batch.view(), wrong), ValueError);
  CHECK((training.state() == before));
  CHECK_THROWS_MATCHES(trainer.step(batch_of(40, 100, 3e38f).view(), labels), ValueError,
                       Message("plait::Trainer: gradient of the tables: got NaN or infinity, "
                               "expected finite numbers"));
  CHECK((training.state() == before));

  CHECK(trainer.step(batch.view(), labels, Matrix<float>::Zero(40, 2).eval()) == 0);
  CHECK((training.state() == before));
  trainer.compute_gradient(batch.view(), {labels});
  CHECK((training.state() == before));
  Matrix<float> logits(40, 2);
  trainer.score(batch.view(), logits);
  CHECK((training.state() == before));

  trainer.apply(trainer.gradient());
  CHECK((training.state() != before));
  CHECK(training.tables.ids(0)->row(batch.bags()[0].ids[0]) != 0);
}

TEST_CASE("growing tables: a step counts the ids of its own batch, and counts them once") {
  Training<float> training(config(), SGD{.learning_rate = 0.1});
  auto& trainer = training.trainer;
  trainer.compute_gradient(batch_of(40, 50).view(), {labels});
  const auto batch = batch_of(30, 100);
  const Matrix<float> of_batch = labels.topRows(20);
  trainer.compute_gradient(batch.view().rows(10, 20), {of_batch});
  trainer.apply(trainer.gradient());
  const auto ids = sparse_test::text_of(*training.tables.ids(0));
  const std::vector<float> rows(training.tables.values(0).begin(), training.tables.values(0).end());
  trainer.apply(trainer.gradient());
  CHECK(sparse_test::text_of(*training.tables.ids(0)) == ids);
  CHECK(std::ranges::equal(training.tables.values(0), rows));

  IdMap expected(40);
  std::vector<std::uint64_t> seen(batch.bags()[0].ids.begin() + 10, batch.bags()[0].ids.end());
  const auto& bags = batch.bags()[1];
  seen.insert(seen.end(), bags.ids.begin() + bags.offsets[10], bags.ids.end());
  expected.see(
      seen, [](Index, std::uint64_t) {}, [](Index) {});
  CHECK(ids == sparse_test::text_of(expected));
}

TEST_CASE("growing tables: threads change no bit") {
  const auto train = [](int threads) {
    std::unique_ptr<ThreadPool> pool;
    if (threads > 1) pool = std::make_unique<ThreadPool>(threads);
    Training<float> training(
        config(60, 2), RowwiseAdagrad{.learning_rate = 0.1},
        {.optimizer = {.clip_norm = 0.5}, .tile_rows = 3, .lanes = 4, .executor = pool.get()});
    for (std::uint64_t step = 0; step < 60; ++step)
      training.trainer.step(batch_of(40, step / 2).view(), labels);
    return training.state();
  };
  const auto one = train(1);
  for (const int threads : {2, 3, 8}) {
    INFO(threads << " threads");
    CHECK((train(threads) == one));
  }
}

TEST_CASE("growing tables: an executor that throws leaves all as it was, or spoils it") {
  struct Failing final : Executor {
    int left = 1 << 30;
    void run(Index count, IndexTask task) override {
      if (left-- == 0) throw std::runtime_error("no threads");
      for (Index i = 0; i < count; ++i) task(i);
    }
  };
  int refused = 0;
  for (int at = 0; at < 12; ++at) {
    Failing executor;
    Training<float> training(config(), LazyAdam{},
                             {.tile_rows = 4, .lanes = 2, .executor = &executor});
    training.trainer.step(batch_of(40, 1).view(), labels);
    const auto before = training.state();
    executor.left = at;
    try {
      training.trainer.step(batch_of(40, 100).view(), labels);
      continue;
    } catch (const std::runtime_error&) {
    }
    ++refused;
    if (!training.trainer.optimizer().spoiled()) CHECK((training.state() == before));
    executor.left = 1 << 30;
  }
  CHECK(refused >= 3);
}

TEST_CASE("growing tables: a frozen one sees nothing") {
  EmbeddingTables<float> tables(config(), 3);
  TableOptimizer<float> rows(tables, SGD{},
                             std::vector<ParamGroup>{{.pattern = "item", .frozen = true}});
  Model<float> model(MMoE{.input_dim = tables.width(), .num_tasks = 2, .num_experts = 2}, {}, 1);
  Trainer<float> trainer(model, rows, std::vector<Head>(2), SGD{});
  trainer.step(batch_of(40, 1).view(), labels);
  CHECK(tables.ids(0)->size() == 0);
  CHECK(std::ranges::count(tables.values(0), 0.0f) == std::ssize(tables.values(0)));
}

TEST_CASE("growing tables: a copy goes on alike, and alone") {
  Training<float> training(config(), SGD{.learning_rate = 0.1});
  for (std::uint64_t step = 0; step < 9; ++step)
    training.trainer.step(batch_of(40, step).view(), labels);
  const EmbeddingTables<float> copy = training.tables.clone();
  const auto ids = sparse_test::text_of(*training.tables.ids(0));
  CHECK(sparse_test::text_of(*copy.ids(0)) == ids);
  CHECK(copy.seed() == 3);
  const auto batch = batch_of(40, 8);
  Tensor<float> x(40, 1, copy.width()), of_copy = x;
  training.tables.lookup(batch, x);
  copy.lookup(batch, of_copy);
  CHECK(std::equal(x.view().data(), x.view().data() + 40 * x.view().dim(), of_copy.view().data()));
  training.trainer.step(batch_of(40, 30).view(), labels);
  CHECK(sparse_test::text_of(*training.tables.ids(0)) != ids);
  CHECK(sparse_test::text_of(*copy.ids(0)) == ids);
}

TEST_CASE("growing tables: steps allocate nothing after the first of a size, full or not") {
  ThreadPool pool(2);
  for (Executor* const executor : {static_cast<Executor*>(nullptr), static_cast<Executor*>(&pool)})
    for (const Index admission : {1, 2}) {
      Training<float> training(
          config(100, admission), RowwiseAdagrad{},
          {.optimizer = {.clip_norm = 1}, .tile_rows = 4, .lanes = 3, .executor = executor});
      std::vector<Batch<float>> batches;
      for (std::uint64_t step = 0; step < 200; ++step) batches.push_back(batch_of(40, step / 2));
      std::vector<FeatureBatch<float>> views;
      for (const auto& batch : batches) views.push_back(batch.view());
      Matrix<float> logits(40, 2);
      training.trainer.step(views[0], labels);
      training.trainer.score(views[0], logits);
      const std::size_t before = allocations::count();
      for (const auto& view : views) {
        training.trainer.step(view, labels);
        training.trainer.score(view, logits);
      }
      const std::size_t after = allocations::count();
      CHECK(after == before);
      CHECK(training.tables.ids(0)->num_rows() >= 80);
      CHECK(training.tables.ids(0)->row(batches[0].bags()[0].ids[0]) == 0);  // gone: it was full
    }
}

TEST_CASE("growing tables: served ids are looked up as in training, and unknown ones have row 0") {
  const auto tables = std::make_shared<EmbeddingTables<float>>(config(), 3);
  TableOptimizer<float> rows(*tables, SGD{.learning_rate = 0.5});
  Model<float> model(MMoE{.input_dim = tables->width(), .num_tasks = 2, .num_experts = 2}, {}, 1);
  Trainer<float> trainer(model, rows, std::vector<Head>(2), SGD{});
  for (std::uint64_t step = 0; step < 9; ++step) trainer.step(batch_of(40, step).view(), labels);

  const auto batch = batch_of(40, 6);  // some are new
  CHECK(tables->ids(0)->row(batch.bags()[0].ids[0]) != 0);
  CHECK(std::ranges::count(batch.bags()[1].ids, 0u,
                           [&](std::uint64_t id) { return tables->ids(0)->row(id); }) > 0);
  Tensor<float> x(40, 1, tables->width()), served = x;
  tables->lookup(batch, x);
  const ServingTables<float> shared(tables);
  shared.lookup(shared.layout(), batch, served);
  CHECK(std::equal(x.view().data(), x.view().data() + 40 * x.view().dim(), served.view().data()));
  const auto bytes =
      std::make_shared<const ServingTables<float>>(ServingTables<float>::quantised(*tables));
  bytes->lookup(bytes->layout(), batch, served);
  for (Index i = 0; i < 40 * x.view().dim(); ++i)
    CHECK(std::abs(x.view().data()[i] - served.view().data()[i]) < 0.05f);

  Matrix<float> expected(40, 2), logits(40, 2);
  trainer.score(batch.view(), expected);
  const EmbeddingScorer<float> scorer(model, shared);
  auto context = scorer.context();
  context.score(batch.view(), logits);
  CHECK((logits == expected));
  const auto again = batch_of(40, 300);
  const auto view = again.view();
  const std::size_t ready = allocations::count();
  context.score(view, logits);
  const std::size_t after = allocations::count();
  CHECK(after == ready);
  CHECK(tables->ids(0)->row(again.bags()[0].ids[0]) == 0);
}

TEST_CASE("growing tables: descriptions that do not hold together are refused") {
  const auto refusal = [](const TableConfig& table) {
    try {
      EmbeddingLayout({.tables = {table}, .features = {{.name = "item"}}});
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  const std::string where = "plait::EmbeddingTables: ";
  TableConfig table{.name = "item", .rows = 2, .dim = 1, .reserved = 1, .growing = true};
  CHECK(refusal(table) == "none");
  table.rows = Index{1} << 30;
  CHECK(refusal(table) == "none");
  for (const Index rows : {Index{1}, (Index{1} << 30) + 1}) {
    table.rows = rows;
    CHECK(refusal(table) ==
          where + text("rows of table 'item': got ", rows, ", expected 2 to 2^30"));
  }
  table.rows = 9;
  for (const Index reserved : {0, 2}) {
    table.reserved = reserved;
    CHECK(refusal(table) ==
          where + text("reserved of table 'item': got ", reserved,
                       ", expected 1: row 0 of a growing table is that of ids without a row"));
  }
  table.reserved = 1;
  for (const Index admission : {Index{0}, Index{-1}, Index{1} << 32}) {
    table.admission = admission;
    CHECK(refusal(table) ==
          where + text("admission of table 'item': got ", admission, ", expected 1 to 2^32 - 1"));
  }
  table.admission = 2;
  CHECK(refusal(table) == "none");
  table.growing = false;
  CHECK(refusal(table) ==
        where + "admission of table 'item': got 2, expected 1: the table does not grow");
}

TEST_CASE("growing tables: who takes another's rows takes the seed of its new ids") {
  const EmbeddingTables<float> from(config(), 3);
  EmbeddingTables<float> to(config(), 4);
  to.assign(from);
  CHECK(to.seed() == 3);
  EmbeddingTables<float> expected = from.clone();
  for (EmbeddingTables<float>* tables : {&to, &expected}) tables->start_row(0, 1, 77);
  CHECK(std::ranges::equal(to.values(0), expected.values(0)));
}
