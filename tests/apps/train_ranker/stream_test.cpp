#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "click_stream.hpp"
#include "stream_dataset.hpp"
#include "support/catch.hpp"
#include "train.hpp"
#include "trainee.hpp"

namespace {

using plait::Index;
using ranker::StreamConfig;
using ranker::StreamRow;

StreamConfig small() {
  return {
      .users = 300, .items = 400, .train_rows = 8000, .validation_rows = 2000, .test_rows = 4000};
}

bool equal(const StreamRow& a, const StreamRow& b) {
  return a.user == b.user && a.item == b.item && a.category == b.category && a.hour == b.hour &&
         a.price == b.price && a.history == b.history && a.click == b.click && a.dwell == b.dwell &&
         a.buy == b.buy;
}

// Pearson's, of two numbers of every row.
template <class First, class Second>
double correlation(const std::vector<StreamRow>& rows, First first, Second second) {
  Eigen::VectorXd a(std::ssize(rows)), b(std::ssize(rows));
  for (Index r = 0; r < a.size(); ++r) {
    a(r) = first(rows[static_cast<std::size_t>(r)]);
    b(r) = second(rows[static_cast<std::size_t>(r)]);
  }
  a.array() -= a.mean();
  b.array() -= b.mean();
  return a.dot(b) / (a.norm() * b.norm());
}

class Silent final : public ranker::Monitor {
 public:
  void begin_epoch(int, Index) override {}
  bool rows_done(Index) override { return true; }
  void end_epoch(const ranker::Epoch&) override {}
  void ended(int) override {}
  void resumed(const plait::Resumed&) override {}
};

}  // namespace

TEST_CASE("stream: the seed decides the rows") {
  const auto rows = ranker::click_stream(small());
  REQUIRE(std::ssize(rows) == 14000);
  CHECK(std::ranges::equal(rows, ranker::click_stream(small()), equal));
  auto config = small();
  config.seed = 2;
  CHECK_FALSE(std::ranges::equal(rows, ranker::click_stream(config), equal));
}

TEST_CASE("stream: users and items come by Zipf's law") {
  const StreamConfig config;
  const auto rows = ranker::click_stream(config);
  const auto n = static_cast<double>(rows.size());
  for (const bool of_users : {true, false}) {
    const Index ids = of_users ? config.users : config.items;
    std::vector<double> counts(static_cast<std::size_t>(ids));
    for (const StreamRow& row : rows)
      ++counts.at(static_cast<std::size_t>(of_users ? row.user : row.item));
    double harmonic = 0;
    for (Index id = 1; id <= ids; ++id) harmonic += 1 / static_cast<double>(id);
    // Ranks by themselves, then all in octaves; five standard deviations of a count.
    const auto check = [&](Index first, Index end) {
      double share = 0, count = 0;
      for (Index id = first; id < end; ++id) {
        share += 1 / (static_cast<double>(id + 1) * harmonic);
        count += counts[static_cast<std::size_t>(id)];
      }
      INFO("ranks " << first << " to " << end << " of " << ids);
      CHECK(std::abs(count - n * share) < 5 * std::sqrt(n * share * (1 - share)));
    };
    for (Index id = 0; id < 20; ++id) check(id, id + 1);
    for (Index first = 1; first < ids; first *= 2) check(first - 1, std::min(2 * first - 1, ids));
  }
}

TEST_CASE("stream: labels have their rates, prices are items' and histories are clicks") {
  const StreamConfig config;
  const auto rows = ranker::click_stream(config);
  double clicks = 0, buys = 0;
  for (Index r = 0; r < config.train_rows; ++r) {
    clicks += rows[static_cast<std::size_t>(r)].click;
    buys += rows[static_cast<std::size_t>(r)].buy;
  }
  CHECK(clicks / 24000 == Approx(0.30).margin(1e-3));
  CHECK(buys / 24000 == Approx(0.03).margin(1e-3));

  std::vector<std::vector<Index>> clicked(static_cast<std::size_t>(config.users));
  std::vector<double> prices(static_cast<std::size_t>(config.items), 0);
  std::vector<Index> categories(static_cast<std::size_t>(config.items), -1);
  bool same = true;
  for (const StreamRow& row : rows) {
    auto& before = clicked[static_cast<std::size_t>(row.user)];
    const std::size_t length = std::min<std::size_t>(before.size(), 8);
    same = same && std::ranges::equal(row.history, std::span(before).last(length));
    if (row.click) before.push_back(row.item);
    double& price = prices[static_cast<std::size_t>(row.item)];
    Index& category = categories[static_cast<std::size_t>(row.item)];
    if (category < 0) {
      price = row.price;
      category = row.category;
    }
    same = same && price == row.price && category == row.category;
    same = same && row.hour >= 0 && row.hour < 24;
  }
  CHECK(same);
}

TEST_CASE("stream: buy is close to dwell and to click, which disagree") {
  const auto rows = ranker::click_stream({});
  const auto click = [](const StreamRow& row) { return row.click ? 1.0 : 0.0; };
  const auto buy = [](const StreamRow& row) { return row.buy ? 1.0 : 0.0; };
  const auto dwell = [](const StreamRow& row) { return row.dwell; };
  // Of 42,000 rows; the deviation of what is uncorrelated is 0.005.
  CHECK(correlation(rows, buy, dwell) > 0.05);
  CHECK(correlation(rows, buy, click) > 0.02);
  CHECK(std::abs(correlation(rows, click, dwell)) < 0.3);
}

TEST_CASE("stream: it is encoded as a file of raw rows is") {
  const ranker::Dataset data = ranker::stream_dataset(small());
  REQUIRE(data.encoded);
  CHECK(data.train.size() == 8000);
  CHECK(data.validation.front() == 8000);
  CHECK(data.test.front() == 10000);
  CHECK(data.test.size() == 4000);
  CHECK(data.mask.size() == 0);
  CHECK(data.encoded->embeddings().tables.size() == 4);
  CHECK(data.input_dim() == 16 + 16 + 8 + 8 + 16 + 1);
  CHECK(data.encoded->replayed().size() == 4);
  CHECK(data.fingerprint == ranker::stream_dataset(small()).fingerprint);
  auto config = small();
  config.seed = 2;
  CHECK(data.fingerprint != ranker::stream_dataset(config).fingerprint);

  const auto rows = ranker::click_stream(small());
  const auto& history = data.encoded->rows().sparse.feature(4);
  REQUIRE(history.offsets.size() == rows.size() + 1);
  bool same = true;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    same = same && history.offsets[r + 1] - history.offsets[r] == std::ssize(rows[r].history);
    same = same && data.labels(static_cast<Index>(r), 0) == (rows[r].click ? 1 : 0);
    same = same && data.labels(static_cast<Index>(r), 2) == (rows[r].buy ? 1 : 0);
  }
  CHECK(same);
}

TEST_CASE("stream: what is planted can be learned, and not by heart") {
  const ranker::Dataset data = ranker::stream_dataset(small());
  ranker::Trainee trainee(ranker::models()[5],
                          {.input_dim = data.input_dim(),
                           .heads = data.heads,
                           .sizes = {.levels = {32, 16}, .towers = {8}, .experts = 4},
                           .rule = ranker::make_rule("adam", 3e-3),
                           .embeddings = data.encoded->embeddings()});
  Silent silent;
  const auto run = ranker::train(trainee.trainer, trainee.method, data, {.epochs = 5, .batch = 64},
                                 silent, {}, trainee.tables_or_null());
  REQUIRE(run);
  CHECK(run->test[0].auc > 0.75);
  CHECK(run->test[0].auc < 0.98);
  CHECK(run->test[1].r2 > 0.3);
  CHECK(run->test[1].r2 < 0.95);
  CHECK(run->test[2].auc > 0.55);
  CHECK(run->test[2].auc < 0.9);
}
