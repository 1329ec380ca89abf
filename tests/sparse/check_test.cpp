// Batches that do not fit, by the error that names feature, row and position; that nothing is
// changed by one, training included, is checked each time.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "plait/embeddings.hpp"
#include "plait/optim/adam.hpp"
#include "sparse/training_state.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using Catch::Matchers::Message;
using namespace plait;
using sparse_test::Training;

namespace {

// Three rows; every member may be changed before a batch is made of them.
struct Parts {
  std::vector<std::uint64_t> ids{1, 2, 3, 4, 5};
  std::vector<std::int64_t> offsets{0, 2, 2, 5};
  std::vector<std::uint64_t> users{0, 1, 2};
  std::vector<std::uint64_t> seen{5, 6, 7, 8};
  std::vector<std::int64_t> seen_offsets{0, 1, 2, 4};
  std::vector<float> weights{1, -1, 0, 0.5f};
  std::vector<float> user_weights;
  Matrix<float> dense = Matrix<float>::Ones(3, 2);
  Index rows = 3;
  std::vector<SparseFeature> features;

  FeatureBatch<float> batch() {
    features = {{ids, offsets}, {users, {}, user_weights}, {seen, seen_offsets, weights}};
    return view();
  }
  FeatureBatch<float> view() const {
    FeatureBatch<float> batch{SparseBatch(rows, features)};
    if (dense.cols() > 0) batch.dense = dense;
    return batch;
  }
};

const EmbeddingConfig config{
    .tables = {{.name = "item", .rows = 50, .dim = 4}, {.name = "user", .rows = 10, .dim = 3}},
    .features = {{.name = "history", .table = "item"},
                 {.name = "user"},
                 {.name = "seen", .table = "item", .weighted = true}},
    .dense = {Side::item, Side::user}};

// `batch` is refused by the tables, a step, its halves and score, with one text.
template <class E>
void check_refused(Training<float>& training, const FeatureBatch<float>& batch,
                   const std::string& message) {
  CHECK_THROWS_MATCHES(training.tables.check(batch), E,
                       Message("plait::EmbeddingTables: " + message));
  const auto before = training.state();
  const auto labels = data::binary<float>(batch.batch(), 2, 1);
  const Targets<float> targets{labels};
  const auto text = Message("plait::Trainer: " + message);
  CHECK_THROWS_MATCHES(training.trainer.step(batch, labels), E, text);
  CHECK_THROWS_MATCHES(training.trainer.compute_gradient(batch, targets), E, text);
  CHECK_THROWS_MATCHES(training.trainer.compute_task_gradients(batch, targets), E, text);
  Matrix<float> logits = Matrix<float>::Constant(batch.batch(), 2, 7.0f);
  CHECK_THROWS_MATCHES(training.trainer.score(batch, logits), E, text);
  CHECK((logits.array() == 7).all());
  CHECK((training.state() == before));
}

template <class E, class Change>
void check_refused(const Change& change, const std::string& message) {
  Training<float> training(config, LazyAdam{.learning_rate = 0.1});
  Parts good, parts;
  const auto labels = data::binary<float>(3, 2, 1);
  training.trainer.step(good.batch(), labels);
  change(parts);
  check_refused<E>(training, parts.batch(), message);
  training.trainer.step(good.batch(), labels);  // goes on
}

}  // namespace

TEST_CASE("a batch that fits is taken") {
  const EmbeddingTables<float> tables(config, 1);
  Parts parts;
  tables.check(parts.batch());
  parts.offsets = {0, 0, 0, 0};
  parts.ids.clear();
  tables.check(parts.batch());
  parts = {};
  parts.users.resize(0);
  parts.ids.resize(0);
  parts.seen.resize(0);
  parts.weights.resize(0);
  parts.offsets = parts.seen_offsets = {0};
  parts.dense = Matrix<float>(0, 2);
  parts.rows = 0;
  tables.check(parts.batch());
}

TEST_CASE("features and rows that are too many or too few are refused") {
  Training<float> training(config, SGD{});
  Parts parts;
  parts.batch();
  parts.features.pop_back();
  check_refused<ShapeError>(training, parts.view(), "features: got 2, expected 3");
  parts.features.resize(4);
  check_refused<ShapeError>(training, parts.view(), "features: got 4, expected 3");

  check_refused<ShapeError>([](Parts& p) { p.users.pop_back(); },
                            "ids of feature 'user': got 2, expected 3");
  check_refused<ShapeError>([](Parts& p) { p.users.push_back(0); },
                            "ids of feature 'user': got 4, expected 3");
  check_refused<ShapeError>(
      [](Parts& p) {
        p.offsets = {0, 2, 5};
      },
      "offsets of feature 'history': got 3, expected 4");
  check_refused<ShapeError>(
      [](Parts& p) {
        p.offsets = {0, 2, 2, 5, 5};
      },
      "offsets of feature 'history': got 5, expected 4");
}

TEST_CASE("numbers beside the ids are where the description has them, and finite") {
  check_refused<ShapeError>([](Parts& p) { p.dense = Matrix<float>::Ones(2, 2); },
                            "dense: got [2, 1, 2], expected [3, 1, 2]");
  check_refused<ShapeError>([](Parts& p) { p.dense = Matrix<float>::Ones(3, 1); },
                            "dense: got [3, 1, 1], expected [3, 1, 2]");
  check_refused<ShapeError>([](Parts& p) { p.dense = Matrix<float>(); },
                            "dense: got [0, 0, 0], expected [3, 1, 2]");
  EmbeddingConfig without = config;
  without.dense.clear();
  Training<float> training(without, SGD{});
  Parts parts;
  check_refused<ShapeError>(training, parts.batch(), "dense: got [3, 1, 2], expected [3, 1, 0]");
  parts.dense = {};
  training.tables.check(parts.batch());

  Training<float> with_numbers(config, SGD{});
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Parts not_finite;
    not_finite.dense(1, 1) = bad;
    const auto before = with_numbers.state();
    CHECK_THROWS_MATCHES(
        with_numbers.trainer.step(not_finite.batch(), data::binary<float>(3, 2, 1)), ValueError,
        Message("plait::Trainer: x: got NaN or infinity in slot 0, expected finite numbers"));
    CHECK((with_numbers.state() == before));
  }
}

TEST_CASE("offsets begin at 0, rise, and end at the ids") {
  check_refused<ValueError>([](Parts& p) { p.offsets[0] = 1; },
                            "offsets of feature 'history': got 1 at row 0, expected 0");
  check_refused<ValueError>([](Parts& p) { p.offsets[0] = -1; },
                            "offsets of feature 'history': got -1 at row 0, expected 0");
  check_refused<ValueError>([](Parts& p) { p.offsets[3] = 4; },
                            "offsets of feature 'history': got 4 at the end, expected 5, the ids");
  check_refused<ValueError>([](Parts& p) { p.offsets[3] = 6; },
                            "offsets of feature 'history': got 6 at the end, expected 5, the ids");
  check_refused<ValueError>([](Parts& p) { p.offsets[2] = 1; },
                            "offsets of feature 'history': got 1 after row 1, expected 2 to 5");
  check_refused<ValueError>([](Parts& p) { p.offsets[1] = -7; },
                            "offsets of feature 'history': got -7 after row 0, expected 0 to 5");
  check_refused<ValueError>([](Parts& p) { p.offsets[1] = 6; },
                            "offsets of feature 'history': got 6 after row 0, expected 0 to 5");
  check_refused<ValueError>(
      [](Parts& p) { p.offsets[2] = std::numeric_limits<std::int64_t>::max(); },
      "offsets of feature 'history': got 9223372036854775807 after row 1, expected 2 to 5");
}

TEST_CASE("ids are rows of their table") {
  check_refused<ValueError>(
      [](Parts& p) { p.ids[3] = 50; },
      "ids of feature 'history': got 50 in row 2, position 3, expected below 50");
  check_refused<ValueError>(
      [](Parts& p) { p.users[1] = 10; },
      "ids of feature 'user': got 10 in row 1, position 1, expected below 10");
  // The last of 64 bits, and one that 32 would take for row 1.
  check_refused<ValueError>(
      [](Parts& p) { p.seen[0] = std::numeric_limits<std::uint64_t>::max(); },
      "ids of feature 'seen': got 18446744073709551615 in row 0, position 0, expected below 50");
  check_refused<ValueError>(
      [](Parts& p) { p.ids[0] = (std::uint64_t{1} << 32) + 1; },
      "ids of feature 'history': got 4294967297 in row 0, position 0, expected below 50");
}

TEST_CASE("weights are of a weighted feature, one per id, and finite") {
  check_refused<ShapeError>(
      [](Parts& p) {
        p.user_weights = {1, 2, 3};
      },
      "weights of feature 'user': got weights, expected none, as it is not weighted");
  check_refused<ShapeError>([](Parts& p) { p.weights.pop_back(); },
                            "weights of feature 'seen': got 3, expected 4");
  check_refused<ValueError>(
      [](Parts& p) { p.weights[3] = std::nanf(""); },
      "weights of feature 'seen': got nan in row 2, position 3, expected a finite number");
  check_refused<ValueError>(
      [](Parts& p) { p.weights[0] = -std::numeric_limits<float>::infinity(); },
      "weights of feature 'seen': got -inf in row 0, position 0, expected a finite number");
  Parts parts;
  parts.weights.clear();  // all 1
  EmbeddingTables<float>(config, 1).check(parts.batch());
}

TEST_CASE("a part of a batch is refused for what is wrong in it alone, by the whole's rows") {
  const EmbeddingTables<float> tables(config, 1);
  Parts parts;
  parts.ids[4] = 99;
  const auto batch = parts.batch();
  tables.check(batch.rows(0, 2));
  CHECK_THROWS_MATCHES(tables.check(batch.rows(1, 2)), ValueError,
                       Message("plait::EmbeddingTables: ids of feature 'history': got 99 in row 2, "
                               "position 4, expected below 50"));
}
