// What changes no bit of a step, and what changes rounding alone.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "plait/architectures/adatt.hpp"
#include "plait/core/parallel.hpp"
#include "plait/embeddings.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"
#include "sparse/batches.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;

namespace {

constexpr Index rows = 400;
constexpr Index tasks = 2;

const EmbeddingConfig config{
    .tables = {{.name = "item", .rows = 500, .dim = 16}, {.name = "user", .rows = 30, .dim = 5}},
    .features = {{.name = "item"},
                 {.name = "history", .table = "item", .pooling = Pooling::mean},
                 {.name = "user"},
                 {.name = "seen", .table = "item", .weighted = true}},
    .dense = {Side::item}};

// Everything that training changed.
template <class Scalar>
struct State {
  std::vector<double> losses;
  std::vector<Scalar> network;
  std::vector<std::vector<Scalar>> values, states;

  bool operator==(const State&) const = default;
};

template <class Scalar>
State<Scalar> train(const RowRule<Scalar>& rule, const TrainerOptions& options, int steps) {
  EmbeddingTables<Scalar> tables(config, 3, options.executor);
  Model<Scalar> model(AdaTT{.input_dim = tables.width(),
                            .num_tasks = tasks,
                            .levels = {{8}, {4}},
                            .shared_experts = 1},
                      {}, 1);
  TableOptimizer<Scalar> optimizer(tables, rule);
  Trainer<Scalar> trainer(model, optimizer, std::vector<Head>(tasks), Adam{.learning_rate = 0.01},
                          options);
  State<Scalar> state;
  for (int k = 0; k < steps; ++k) {
    const auto seed = static_cast<std::uint64_t>(k);
    const auto batch = sparse_test::random_batch<Scalar>(config, rows, 6, 5 * seed);
    const auto labels = data::binary<Scalar>(rows, tasks, 5 * seed + 1);
    state.losses.push_back(trainer.step(batch.view(), labels));
  }
  const auto network = model.values().flat();
  state.network.assign(network.begin(), network.end());
  for (const Index t : {0, 1}) {
    state.values.emplace_back(tables.values(t).begin(), tables.values(t).end());
    state.states.emplace_back(optimizer.state(t).begin(), optimizer.state(t).end());
  }
  return state;
}

template <class A, class B>
double difference(const std::vector<A>& a, const std::vector<B>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double apart = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    worst = apart <= worst ? worst : apart;
  }
  return worst;
}
template <class A, class B>
double difference(const State<A>& a, const State<B>& b) {
  return std::max({difference(a.losses, b.losses), difference(a.network, b.network),
                   difference(a.values[0], b.values[0]), difference(a.values[1], b.values[1])});
}

}  // namespace

TEMPLATE_TEST_CASE("steps are equal bit for bit for every number of threads, and again", "", float,
                   double) {
  const OptimizerOptions clips{.clip_norm = 0.1};
  for (const RowRule<TestType>& rule : {RowRule<TestType>(RowwiseAdagrad{.learning_rate = 0.1}),
                                        RowRule<TestType>(LazyAdam{.learning_rate = 0.01}),
                                        RowRule<TestType>(Adagrad{.learning_rate = 0.1})}) {
    INFO(rule.name());
    for (const Index lanes : {1, 4, 8}) {
      INFO("lanes " << lanes);
      const TrainerOptions options{.optimizer = clips, .tile_rows = 16, .lanes = lanes};
      const auto alone = train<TestType>(rule, options, 5);
      CHECK(alone == train<TestType>(rule, options, 5));
      for (const Index threads : {1, 2, 3, 8}) {
        INFO("threads " << threads);
        ThreadPool pool(threads);
        TrainerOptions with_threads = options;
        with_threads.executor = &pool;
        CHECK(alone == train<TestType>(rule, with_threads, 5));
      }
    }
  }
}

TEST_CASE("in one lane the rows' first step is equal bit for bit for tiles of every size") {
  const auto rule = RowRule<float>(SGD{.learning_rate = 0.1});
  const auto whole = train<float>(rule, {.tile_rows = rows}, 1);
  for (const Index tile_rows : {1, 7, 128}) {
    INFO(tile_rows);
    CHECK(whole.values == train<float>(rule, {.tile_rows = tile_rows}, 1).values);
  }
}

TEST_CASE("tiles and lanes change rounding alone") {
  const auto rule = RowRule<double>(RowwiseAdagrad{.learning_rate = 0.1});
  const auto whole = train<double>(rule, {.tile_rows = rows}, 10);
  for (const Index tile_rows : {1, 7, 128})
    for (const Index lanes : {1, 3}) {
      INFO(tile_rows << " rows, " << lanes << " lanes");
      CHECK(difference(whole, train<double>(rule, {.tile_rows = tile_rows, .lanes = lanes}, 10)) <
            1e-11);
    }
}

TEST_CASE("float and double train alike to rounding") {
  const TrainerOptions options{.optimizer = {.clip_norm = 0.1}, .lanes = 2};
  const auto compare = [&](const auto& rule) {
    CHECK(difference(train<float>(rule, options, 5), train<double>(rule, options, 5)) < 1e-4);
  };
  compare(SGD{.learning_rate = 0.1});
  compare(RowwiseAdagrad{.learning_rate = 0.1});
  compare(RowwiseAdam{.learning_rate = 0.01});
}
