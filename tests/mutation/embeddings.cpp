// What a mutation of tables, their lookups and their rules must make fail: steps against slow ones
// of the definitions, the order of sums, parts of batches and what batches may hold.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mutation/checks.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/methods/gradnorm.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/sparse/table_optimizer.hpp"
#include "plait/train/trainer.hpp"
#include "sparse/growing_reference.hpp"
#include "sparse/ordered_sums.hpp"
#include "sparse/reference.hpp"

namespace {

using namespace plait;

const EmbeddingConfig config{
    .tables = {{.name = "item", .rows = 90, .dim = 5}, {.name = "user", .rows = 7, .dim = 3}},
    .features = {{.name = "user"},
                 {.name = "history", .table = "item", .pooling = Pooling::mean},
                 {.name = "item", .weighted = true},
                 {.name = "seen", .table = "item", .weighted = true}},
    .dense = {Side::item}};

bool is_close(std::span<const double> a, std::span<const double> b) {
  return std::ranges::equal(a, b, [](double x, double y) { return std::abs(x - y) < 1e-10; });
}

enum class Kind { plain, balanced, weighted };

template <class R>
bool trains_as_defined(const R& rule, Kind kind, bool freezes) {
  EmbeddingTables<double> tables(config, 3);
  Model<double> model(
      MMoE{.input_dim = tables.width(), .num_tasks = 2, .num_experts = 2, .expert = Body{4}}, {},
      1);
  const OptimizerOptions options{.schedule = Schedule::step_decay(2, 0.5), .clip_norm = 0.2};
  std::vector<ParamGroup> groups{{.pattern = "item", .weight_decay = 0.1}};
  if (freezes) groups.push_back({.pattern = "user", .frozen = true});
  TableOptimizer<double> rows(tables, rule, groups);
  sparse_test::SlowTrainer slow(model, tables, std::vector<Head>(2), Adam{}, rule,
                                {.optimizer = options, .tables = rows.table_settings()});
  Trainer<double> trainer(model, rows, std::vector<Head>(2), Adam{},
                          {.optimizer = options, .tile_rows = 3, .lanes = 2});
  LossWeighting weighting(GradNorm{}, 2), slow_weighting = weighting;
  GradientBalancer<double> balancer(PCGrad{}, 2, model.values().shared_table(), trainer.shared());
  auto slow_balancer = balancer;
  for (std::uint64_t k = 0; k < 3; ++k) {
    const auto batch = sparse_test::random_batch<double>(config, 30, 4, 10 * k + 1);
    const auto labels = data::binary<double>(30, 2, 10 * k);
    const Targets<double> targets{labels};
    if (kind == Kind::plain) {
      trainer.step(batch.view(), targets);
      slow.step(batch, targets);
    } else if (kind == Kind::balanced) {
      trainer.step(batch.view(), targets, balancer);
      slow.step(batch, targets, nullptr, &slow_balancer);
    } else {
      trainer.step(batch.view(), targets, weighting);
      slow.step(batch, targets, &slow_weighting);
    }
  }
  for (const Index t : {0, 1})
    if (!is_close(tables.values(t), slow.values[static_cast<std::size_t>(t)]) ||
        !is_close(rows.state(t), slow.state[static_cast<std::size_t>(t)]))
      return false;
  return is_close(model.values().flat(), slow.model.values().flat());
}

// Whether a batch of one feature, "u", of two rows is refused.
bool refuses(const SparseFeature& feature, Index first = 0) {
  const EmbeddingTables<float> tables(
      {.tables = {{.name = "u", .rows = 4, .dim = 2}}, .features = {{.name = "u"}}}, 1);
  const std::vector<SparseFeature> features{feature};
  try {
    tables.check({SparseBatch(2, features).rows(first, 2 - first)});
  } catch (const Error&) {
    return true;
  }
  return false;
}

bool checks_batches() {
  const std::vector<std::uint64_t> good{3, 0}, beyond{3, 4};
  const std::vector<std::int64_t> offsets{0, 1, 2}, falls{0, -1, 2}, late{1, 1, 2}, early{0, 1, 1};
  return !refuses({good}) && !refuses({good, offsets}) && refuses({beyond}) &&
         refuses({beyond, offsets}) && refuses({beyond}, 1) && refuses({good, falls}) &&
         refuses({good, late}) && refuses({good, early}) && refuses({std::span(good).first(1)}) &&
         refuses({good, std::span(offsets).first(2)});
}

// A part of a part looks up what its rows look up among all.
bool cuts_batches() {
  const EmbeddingTables<double> tables(config, 3);
  const auto batch = sparse_test::random_batch<double>(config, 30, 4, 1);
  Tensor<double> all(30, 1, tables.width()), part(9, 1, tables.width());
  tables.lookup(batch, all);
  tables.lookup(batch.view().rows(4, 20).rows(3, 9), part);
  return std::equal(part.view().data(), part.view().data() + 9 * tables.width(), all.view().row(7));
}

// Ids that come and go, against a table that grows slowly.
std::string grows() {
  for (const Index admission : {1, 3}) {
    sparse_test::Growth<double> growth(31, admission, 6);
    for (int step = 0; step < 800; ++step) {
      growth.step();
      if (const auto wrong = growth.compare(); !wrong.empty())
        return text("growing, step ", step, ": ", wrong);
    }
    if (growth.slow().taken() == 0) return "growing tables that are never full";
  }
  return "";
}

}  // namespace

std::string checks::run() {
  if (const auto wrong = grows(); !wrong.empty()) return wrong;
  if (!checks_batches()) return "batches that are refused";
  if (!cuts_batches()) return "parts of batches";
  for (const auto& lane_ends : std::vector<std::vector<Index>>{{500}, {5, 60, 61, 200}})
    if (const auto wrong = sparse_test::check_order<double>(70, 3, lane_ends, 2); !wrong.empty())
      return wrong;
  if (!trains_as_defined(SGD{.learning_rate = 0.3}, Kind::plain, false)) return "SGD";
  if (!trains_as_defined(SGD{.learning_rate = 0.3}, Kind::balanced, true)) return "balanced steps";
  if (!trains_as_defined(SGD{.learning_rate = 0.3}, Kind::weighted, false)) return "weighted steps";
  if (!trains_as_defined(RowwiseAdagrad{.learning_rate = 0.1}, Kind::plain, true))
    return "RowwiseAdagrad";
  if (!trains_as_defined(RowwiseAdagrad{.learning_rate = 0.1, .decay = RowDecay::decoupled},
                         Kind::plain, false))
    return "RowwiseAdagrad with decoupled decay";
  if (!trains_as_defined(RowwiseAdam{.learning_rate = 0.1}, Kind::plain, false))
    return "RowwiseAdam";
  if (!trains_as_defined(LazyAdam{.learning_rate = 0.1}, Kind::plain, false)) return "LazyAdam";
  if (!trains_as_defined(FTRL{.learning_rate = 0.1, .l1 = 0.02, .l2 = 0.1}, Kind::plain, false))
    return "FTRL";
  return "";
}
