// The gradient of rows through lookup, network and loss, by central differences.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "plait/architectures/adatt.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/embeddings.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/testing/gradcheck.hpp"
#include "plait/train/trainer.hpp"
#include "sparse/batches.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;
using sparse_test::Bags;
using sparse_test::Batch;

namespace {

constexpr Index rows = 6;
constexpr Index table_rows = 130;  // rows 30 and above are never named

const EmbeddingConfig config{
    .tables = {{.name = "item", .rows = table_rows, .dim = 3},
               {.name = "user", .rows = table_rows, .dim = 2}},
    .features = {{.name = "item"},
                 {.name = "sum", .table = "item"},
                 {.name = "mean", .table = "item", .pooling = Pooling::mean},
                 {.name = "weighted", .table = "user", .weighted = true},
                 {.name = "user"}},
    .dense = {Side::item}};

// Bags of 0, 1, 2, 2, 20, 3 ids; row 3 names one twice, and ids 4 and 5 are everywhere.
Bags bags(bool weighted, std::uint64_t seed) {
  Random random(seed);
  Bags result{.offsets = {0}};
  int row = 0;
  for (const Index size : {0, 1, 2, 2, 20, 3}) {
    for (Index i = 0; i < size; ++i) {
      result.ids.push_back(row == 3 ? 4 : static_cast<std::uint64_t>(random.below(30)));
      if (row == 5) result.ids.back() = static_cast<std::uint64_t>(4 + i % 2);
      if (weighted) result.weights.push_back(static_cast<float>(random.normal()));
    }
    result.offsets.push_back(static_cast<std::int64_t>(result.ids.size()));
    ++row;
  }
  return result;
}

// What one step of SGD at rate 1 takes from a table's values, which are put back.
std::vector<double> gradient(EmbeddingTables<double>& tables, Model<double> model, Index table,
                             const Batch<double>& batch, const Targets<double>& targets) {
  const auto before = tables.clone();
  TableOptimizer<double> optimizer(tables, SGD{.learning_rate = 1});
  Trainer<double> trainer(model, optimizer,
                          {{.weight = 0.5}, {.kind = HeadKind::regression}, {.pos_weight = 3}},
                          SGD{.learning_rate = 1}, {.tile_rows = 4});
  trainer.step(batch.view(), targets);
  std::vector<double> result;
  for (std::size_t i = 0; i < before.values(table).size(); ++i)
    result.push_back(before.values(table)[i] - tables.values(table)[i]);
  for (Index t = 0; t < tables.num_tables(); ++t)
    std::ranges::copy(before.values(t), tables.values(t).begin());
  return result;
}

void check(const Trunk<double>& trunk, EmbeddingTables<double>& tables) {
  Model<double> model(trunk, {.hidden = {{4}}}, 3);
  Random random(1);
  std::vector<Bags> all{sparse_test::single_ids(rows, 30, random), bags(false, 2), bags(false, 3),
                        bags(true, 4), bags(false, 5)};
  const Batch<double> batch(rows, std::move(all), data::normal<double>(rows, 1, 6));
  const auto labels = data::binary<double>(rows, 3, 7);
  auto mask = data::binary<double>(rows, 3, 8);
  mask.row(3).setOnes();
  const Targets<double> targets{labels, mask};

  EmbeddingTables<double> moved = tables.clone();
  TableOptimizer<double> lookup(moved, SGD{});
  Trainer<double> loss(model, lookup,
                       {{.weight = 0.5}, {.kind = HeadKind::regression}, {.pos_weight = 3}}, SGD{});
  testing::GradientCheck check;
  for (const Index t : {0, 1}) {
    const auto of_table = gradient(tables, model, t, batch, targets);
    const TableConfig& table = config.tables[static_cast<std::size_t>(t)];
    const std::size_t named = 30 * static_cast<std::size_t>(table.dim);
    check.compare(table.name, moved.values(t).first(named), std::span(of_table).first(named),
                  [&] { return loss.compute_gradient(batch.view(), targets); });
    for (std::size_t i = named; i < of_table.size(); ++i) CHECK(of_table[i] == 0);
  }
  const auto report = check.report();
  INFO(report.text());
  CHECK(report.passed());
}

}  // namespace

TEST_CASE("the gradient of every row is that of the loss, and 0 for rows that no one named") {
  EmbeddingTables<double> tables(config, 5);
  const Index width = tables.width();
  check(PLE{.input_dim = width, .num_tasks = 3, .levels = {{5}, {4}}}, tables);
  check(AdaTT{.input_dim = width, .num_tasks = 3, .levels = {{5}, {4}}, .shared_experts = 1},
        tables);
}
