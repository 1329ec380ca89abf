// Views of batches: rows() of rows(), and a part of a batch against a copy of that part.
#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "plait/architectures/mmoe.hpp"
#include "plait/embeddings.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"
#include "sparse/batches.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;
using sparse_test::Bags;
using sparse_test::Batch;

namespace {

const EmbeddingConfig config{
    .tables = {{.name = "item", .rows = 40, .dim = 5}, {.name = "user", .rows = 9, .dim = 3}},
    .features = {{.name = "item"},
                 {.name = "history", .table = "item", .pooling = Pooling::mean},
                 {.name = "user"},
                 {.name = "seen", .table = "item", .weighted = true}},
    .dense = {Side::item, Side::user}};

// Rows [first, first + count) of a batch as one of their own.
Batch<float> copy_of(const Batch<float>& batch, Index first, Index count) {
  std::vector<Bags> parts;
  for (const Bags& bags : batch.bags()) {
    auto from = static_cast<std::size_t>(first);
    auto to = static_cast<std::size_t>(first + count);
    Bags part;
    if (!bags.offsets.empty()) {
      for (std::size_t b = from; b <= to; ++b)
        part.offsets.push_back(bags.offsets[b] - bags.offsets[from]);
      std::tie(from, to) = std::pair(static_cast<std::size_t>(bags.offsets[from]),
                                     static_cast<std::size_t>(bags.offsets[to]));
    }
    for (std::size_t i = from; i < to; ++i) {
      part.ids.push_back(bags.ids[i]);
      if (!bags.weights.empty()) part.weights.push_back(bags.weights[i]);
    }
    parts.push_back(std::move(part));
  }
  return {count, std::move(parts), batch.dense().middleRows(first, count)};
}

struct Run {
  EmbeddingTables<float> tables{config, 3};
  Model<float> model{
      MMoE{.input_dim = tables.width(), .num_tasks = 2, .num_experts = 2, .expert = Body{6}},
      {},
      1};
  TableOptimizer<float> rows{tables, RowwiseAdagrad{.learning_rate = 0.1}};
  Trainer<float> trainer{model,
                         rows,
                         std::vector<Head>(2),
                         Adam{.learning_rate = 1e-2},
                         {.optimizer = {.clip_norm = 0.1}, .tile_rows = 4}};
};

}  // namespace

TEST_CASE("rows of a batch are views, of rows too") {
  const auto batch = sparse_test::random_batch<float>(config, 30, 4, 1);
  const auto whole = batch.view();
  const auto part = whole.rows(4, 20).rows(3, 9);
  CHECK(part.batch() == 9);
  CHECK(part.sparse.first_row() == 7);
  CHECK(part.sparse.num_features() == 4);
  CHECK(part.dense.data() == whole.dense.row(7));
  for (Index f = 0; f < 4; ++f) {
    const SparseFeature given = batch.bags()[static_cast<std::size_t>(f)].view();
    const SparseFeature all = whole.sparse.feature(f);
    CHECK(all.ids.data() == given.ids.data());
    CHECK(all.ids.size() == given.ids.size());
    CHECK(all.offsets.size() == given.offsets.size());
    const SparseFeature of_part = part.sparse.feature(f);
    if (given.offsets.empty()) {
      CHECK(of_part.ids.data() == given.ids.data() + 7);
      CHECK(of_part.ids.size() == 9);
    } else {
      CHECK(of_part.ids.data() == given.ids.data());
      CHECK(of_part.offsets.data() == given.offsets.data() + 7);
      CHECK(of_part.offsets.size() == 10);
      CHECK(of_part.weights.data() == given.weights.data());
    }
  }
  CHECK(whole.rows(30, 0).batch() == 0);
}

TEST_CASE("an id per row with weights is cut with them") {
  const std::vector<std::uint64_t> ids{4, 5, 6, 7};
  const std::vector<float> weights{1, 2, 3, 4};
  const std::vector<SparseFeature> features{{.ids = ids, .weights = weights}};
  const auto part = SparseBatch(4, features).rows(1, 2).feature(0);
  CHECK(std::ranges::equal(part.ids, std::vector<std::uint64_t>{5, 6}));
  CHECK(std::ranges::equal(part.weights, std::vector<float>{2, 3}));
}

TEST_CASE("a part of a batch looks up and trains as a copy of that part, bit for bit") {
  const auto batch = sparse_test::random_batch<float>(config, 60, 4, 2);
  const auto labels = data::binary<float>(60, 2, 3);
  for (const auto& [first, count] :
       {std::pair<Index, Index>{0, 60}, {0, 1}, {7, 33}, {59, 1}, {20, 40}}) {
    INFO(first << " to " << first + count);
    const auto copy = copy_of(batch, first, count);
    const auto part = batch.view().rows(first, count);
    Run of_part, of_copy;
    Tensor<float> x(count, 1, of_part.tables.width());
    Tensor<float> y = x;
    of_part.tables.check(part);
    of_part.tables.lookup(part, x);
    of_copy.tables.lookup(copy, y);
    CHECK(std::equal(x.view().data(), x.view().data() + count * x.dim(), y.view().data()));
    const auto of_rows = View3<const float>(labels).rows(first, count);
    for (int step = 0; step < 3; ++step)
      CHECK(of_part.trainer.step(part, of_rows) == of_copy.trainer.step(copy.view(), of_rows));
    CHECK(std::ranges::equal(of_part.model.values().flat(), of_copy.model.values().flat()));
    for (const Index t : {0, 1}) {
      CHECK(std::ranges::equal(of_part.tables.values(t), of_copy.tables.values(t)));
      CHECK(std::ranges::equal(of_part.rows.state(t), of_copy.rows.state(t)));
    }
  }
}

TEST_CASE("chosen rows: ids, weights and numbers are those of the rows, in their order") {
  const EmbeddingConfig config{.tables = {{.name = "a", .rows = 20, .dim = 3}},
                               .features = {{.name = "a", .weighted = true},
                                            {.name = "b", .table = "a"},
                                            {.name = "c", .table = "a"}},
                               .dense = {Side::item, Side::item}};
  const EmbeddingTables<double> tables(config, 1);
  const auto all = sparse_test::random_batch<double>(config, 30, 4, 2);
  Matrix<double> whole(30, tables.width());
  tables.lookup(all, whole);
  ChosenRows<double> chosen;
  for (const std::vector<Index>& rows : {std::vector<Index>{29, 3, 3, 0}, std::vector<Index>{},
                                         std::vector<Index>{7, 8, 9, 10, 11, 12}}) {
    const FeatureBatch<double> batch = chosen.choose(all.view(), rows);
    tables.check(batch);
    Matrix<double> x(std::ssize(rows), tables.width());
    tables.lookup(batch, x);
    for (Index i = 0; i < x.rows(); ++i)
      CHECK(x.row(i) == whole.row(rows[static_cast<std::size_t>(i)]));
  }
}
