// Scoring from ids.
#include "plait/serve/embedding_scorer.hpp"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/optim/adam.hpp"
#include "plait/serve/live.hpp"
#include "plait/sparse/rowwise_adagrad.hpp"
#include "plait/sparse/table_optimizer.hpp"
#include "plait/train/trainer.hpp"
#include "sparse/batches.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;

namespace {

using Tables = EmbeddingTables<float>;

// Features of the user and of the item by turns.
EmbeddingConfig both_sides() {
  return {
      .tables = {{.name = "user", .rows = 30, .dim = 5, .bound = 1},
                 {.name = "item", .rows = 70, .dim = 17, .bound = 1}},
      .features = {{.name = "user", .side = Side::user},
                   {.name = "item"},
                   {.name = "seen", .table = "item", .pooling = Pooling::mean, .side = Side::user},
                   {.name = "like", .table = "item", .weighted = true}},
      .dense = {Side::item, Side::user, Side::item}};
}

Model<float> model_of(const Tables& tables) {
  return {MMoE{.input_dim = tables.width(), .num_tasks = 2, .num_experts = 3, .expert = {8}},
          {.hidden = {{4}}},
          9};
}

// A request: the user's bags and numbers, the candidates', and whole rows of both.
struct Request {
  explicit Request(Index candidates, std::uint64_t seed)
      : whole(sparse_test::random_batch<float>(both_sides(), candidates, 6, seed)) {
    const auto& bags = whole.bags();
    std::vector<sparse_test::Bags> repeated = bags;
    Matrix<float> numbers = whole.dense();
    std::vector<sparse_test::Bags> of_user(2);
    for (const std::size_t f : {0UL, 2UL}) {
      const SparseFeature first =
          SparseBatch(candidates, whole.features()).feature(static_cast<Index>(f));
      const auto begin = first.offsets.empty() ? 0 : first.offsets[0];
      const auto end = first.offsets.empty() ? 1 : first.offsets[1];
      sparse_test::Bags& bag = of_user[f / 2];
      bag.ids.assign(first.ids.begin() + begin, first.ids.begin() + end);
      bag.offsets = {0, end - begin};
      repeated[f] = {};
      repeated[f].offsets.push_back(0);
      for (Index b = 0; b < candidates; ++b) {
        repeated[f].ids.insert(repeated[f].ids.end(), bag.ids.begin(), bag.ids.end());
        repeated[f].offsets.push_back(static_cast<std::int64_t>(repeated[f].ids.size()));
        numbers(b, 1) = numbers(0, 1);
      }
    }
    Matrix<float> own(candidates, 2);
    own.col(0) = numbers.col(0);
    own.col(1) = numbers.col(2);
    user = std::make_unique<sparse_test::Batch<float>>(1, std::move(of_user),
                                                       numbers.block(0, 1, 1, 1));
    items = std::make_unique<sparse_test::Batch<float>>(
        candidates, std::vector<sparse_test::Bags>{bags[1], bags[3]}, std::move(own));
    rows = std::make_unique<sparse_test::Batch<float>>(candidates, std::move(repeated),
                                                       std::move(numbers));
  }

  sparse_test::Batch<float> whole;
  std::unique_ptr<sparse_test::Batch<float>> user, items, rows;
};

}  // namespace

TEST_CASE("embedding scorer: logits are the trainer's, to the last bit, in any tiles") {
  const auto tables = std::make_shared<Tables>(both_sides(), 1);
  Model<float> model = model_of(*tables);
  TableOptimizer<float> rows(*tables, RowwiseAdagrad{});
  Trainer<float> trainer(model, rows, std::vector<Head>(2), Adam{});
  const auto batch = sparse_test::random_batch<float>(both_sides(), 150, 6, 2);
  trainer.step(batch.view(), data::binary<float>(150, 2, 3));
  Matrix<float> expected(150, 2), logits(150, 2);
  trainer.score(batch.view(), expected);
  const EmbeddingScorer<float> scorer(model, ServingTables<float>(tables));
  for (const Index tile : {1, 7, 64, 200}) {
    auto context = scorer.context(tile);
    context.score(batch, logits);
    CHECK(logits == expected);
    context.score(batch.view().rows(20, 31), View3<float>(logits).rows(20, 31));
    CHECK(logits == expected);
  }
}

TEST_CASE("embedding scorer: a request with its user once is scored as its whole rows") {
  const auto tables = std::make_shared<Tables>(both_sides(), 1);
  for (const auto& serving :
       {ServingTables<float>(tables), ServingTables<float>::quantised(*tables)}) {
    const EmbeddingScorer<float> scorer(model_of(*tables), serving);
    REQUIRE(scorer.has_user());
    auto context = scorer.context(16);
    for (const Index candidates : {1, 16, 50}) {
      const Request request(candidates, 3);
      Matrix<float> once(candidates, 2), whole(candidates, 2);
      context.score(*request.user, *request.items, once);
      context.score(*request.rows, whole);
      CHECK((once - whole).cwiseAbs().maxCoeff() <= 1e-5F);
    }
  }
}

TEST_CASE("embedding scorer: scoring does not allocate") {
  const auto tables = std::make_shared<Tables>(both_sides(), 1);
  const EmbeddingScorer<float> scorer(model_of(*tables), ServingTables<float>(tables));
  auto context = scorer.context();
  const Request request(150, 4);
  const FeatureBatch<float> user = *request.user, items = *request.items, rows = *request.rows;
  Matrix<float> logits(150, 2);
  const std::size_t before = allocations::count();
  context.score(user, items, logits);
  context.score(rows, logits);
  CHECK(allocations::count() == before);
}

TEST_CASE("embedding scorer: what does not fit is refused, and logits stay") {
  const auto tables = std::make_shared<Tables>(both_sides(), 1);
  EmbeddingConfig narrow = both_sides();
  narrow.dense.clear();
  const auto others = std::make_shared<Tables>(narrow, 1);
  CHECK_THROWS_AS(EmbeddingScorer<float>(model_of(*tables), ServingTables<float>(others)),
                  ConfigError);
  CHECK_THROWS_AS(EmbeddingScorer<float>(model_of(*tables), ServingTables<float>(tables),
                                         {.scorer = {.shared_inputs = {0}}}),
                  ConfigError);

  const EmbeddingScorer<float> scorer(model_of(*tables), ServingTables<float>(tables));
  auto context = scorer.context();
  Request request(3, 5);
  Matrix<float> logits = Matrix<float>::Constant(3, 2, 8);
  const Matrix<float> before = logits;
  CHECK_THROWS_AS(context.score(*request.items, *request.items, logits), ShapeError);
  CHECK_THROWS_AS(context.score(*request.user, *request.user, logits), ShapeError);
  Matrix<float> wrong(2, 2);
  CHECK_THROWS_AS(context.score(*request.rows, wrong), ShapeError);
  auto bags = request.rows->bags();
  bags[1].ids[1] = 70;
  const sparse_test::Batch<float> unknown(3, bags, request.rows->dense());
  CHECK_THROWS_AS(context.score(unknown, logits), ValueError);
  CHECK(logits == before);

  SECTION("ids beyond a table name its first row when asked for") {
    const EmbeddingScorer<float> tolerant(model_of(*tables), ServingTables<float>(tables),
                                          {.unknown = UnknownIds::first_row});
    auto tolerant_context = tolerant.context();
    tolerant_context.score(unknown, logits);
    bags[1].ids[1] = 0;
    const sparse_test::Batch<float> known(3, bags, request.rows->dense());
    Matrix<float> expected(3, 2);
    context.score(known, expected);
    CHECK(logits == expected);
  }
}

TEST_CASE("embedding scorer: a description of one side has no user to pass apart") {
  EmbeddingConfig config = both_sides();
  for (FeatureConfig& feature : config.features) feature.side = Side::item;
  config.dense = {};
  const auto tables = std::make_shared<Tables>(config, 1);
  const EmbeddingScorer<float> scorer(model_of(*tables), ServingTables<float>(tables));
  CHECK_FALSE(scorer.has_user());
  auto context = scorer.context();
  const auto batch = sparse_test::random_batch<float>(config, 4, 3, 6);
  Matrix<float> logits(4, 2);
  CHECK_THROWS_AS(context.score(batch, batch, logits), ConfigError);
  context.score(batch, logits);
}

TEST_CASE("embedding scorer: others take its place while it is read, on the same tables") {
  const auto tables = std::make_shared<Tables>(both_sides(), 1);
  const ServingTables<float> serving(tables);
  Live<EmbeddingScorer<float>> live(
      std::make_unique<EmbeddingScorer<float>>(model_of(*tables), serving));
  auto reader = live.reader();
  const auto batch = sparse_test::random_batch<float>(both_sides(), 9, 6, 7);
  Matrix<float> logits(9, 2);
  for (std::uint64_t version = 0; version < 50; ++version) {
    Model<float> newer(SharedBottom{.input_dim = tables->width(), .num_tasks = 2, .expert = {4}},
                       {}, version);
    live.publish(std::make_unique<EmbeddingScorer<float>>(std::move(newer), serving));
    const auto scorer = reader.read();
    auto context = scorer->context();
    context.score(batch, logits);
    CHECK(logits.allFinite());
  }
  CHECK(tables.use_count() <=
        1 + 1 + 2);  // here, in `serving`, in the live scorer and its last one
}
