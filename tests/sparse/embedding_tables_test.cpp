// Tables: what a description must say, where columns lie, and what rows start with.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/parallel.hpp"
#include "plait/embeddings.hpp"
#include "support/catch.hpp"

using Catch::Matchers::Message;
using namespace plait;

namespace {

const EmbeddingConfig good{
    .tables = {{.name = "item", .rows = 100, .dim = 4}, {.name = "user", .rows = 10, .dim = 3}},
    .features = {{.name = "user", .side = Side::user},
                 {.name = "item"},
                 {.name = "history", .table = "item", .pooling = Pooling::mean}},
    .dense = {Side::item, Side::user}};

// The error of `good` after a change.
template <class Change>
void check_refused(const Change& change, const std::string& message) {
  EmbeddingConfig config = good;
  change(config);
  CHECK_THROWS_MATCHES(EmbeddingTables<float>(config, 1), ConfigError,
                       Message("plait::EmbeddingTables: " + message));
  CHECK_THROWS_AS(EmbeddingTables<double>::zeros(config), ConfigError);
}

std::vector<float> numbers(const EmbeddingTables<float>& tables, Index table) {
  return {tables.values(table).begin(), tables.values(table).end()};
}

}  // namespace

TEST_CASE("descriptions that fit together are told apart from those that do not") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  check_refused([](EmbeddingConfig& c) { c = {}; },
                "features: got none and no numbers either, expected at least one of them");
  check_refused([](EmbeddingConfig& c) { c.tables[0].name = ""; },
                "tables: got a table without a name, expected a name");
  check_refused([](EmbeddingConfig& c) { c.tables[1].name = "item"; },
                "tables: got 'item' twice, expected each name once");
  check_refused([](EmbeddingConfig& c) { c.tables[0].rows = 0; },
                "rows of table 'item': got 0, expected 1 to 2^32");
  check_refused([](EmbeddingConfig& c) { c.tables[0].rows = -1; },
                "rows of table 'item': got -1, expected 1 to 2^32");
  if constexpr (sizeof(Index) > 4)
    check_refused([](EmbeddingConfig& c) { c.tables[0].rows = (Index{1} << 32) + 1; },
                  "rows of table 'item': got 4294967297, expected 1 to 2^32");
  check_refused([](EmbeddingConfig& c) { c.tables[1].dim = 0; },
                "dim of table 'user': got 0, expected 1 to 4096");
  check_refused([](EmbeddingConfig& c) { c.tables[1].dim = 4097; },
                "dim of table 'user': got 4097, expected 1 to 4096");
  check_refused([](EmbeddingConfig& c) { c.tables[1].bound = -0.1; },
                "bound of table 'user': got -0.1, expected a finite number of at least 0");
  check_refused([&](EmbeddingConfig& c) { c.tables[1].bound = nan; },
                "bound of table 'user': got nan, expected a finite number of at least 0");
  check_refused([](EmbeddingConfig& c) { c.tables[1].reserved = 11; },
                "reserved of table 'user': got 11, expected 0 to its rows");
  check_refused([](EmbeddingConfig& c) { c.tables[1].reserved = -1; },
                "reserved of table 'user': got -1, expected 0 to its rows");
  check_refused([](EmbeddingConfig& c) { c.features[0].name = ""; },
                "features: got a feature without a name, expected a name");
  check_refused([](EmbeddingConfig& c) { c.features[2].name = "item"; },
                "features: got 'item' twice, expected each name once");
  check_refused([](EmbeddingConfig& c) { c.features[2].weighted = true; },
                "weighted of feature 'history': got weights of a mean, expected weights of a sum");
  check_refused([](EmbeddingConfig& c) { c.features[2].table = "Item"; },
                "table of feature 'history': got 'Item', expected the name of a table");
  check_refused([](EmbeddingConfig& c) { c.features[0].name = "visitor"; },
                "table of feature 'visitor': got 'visitor', expected the name of a table");
  check_refused(
      [](EmbeddingConfig& c) { c.tables.push_back({.name = "idle", .rows = 1, .dim = 1}); },
      "tables: got 'idle', which no one reads, expected a feature for every table");
}

TEST_CASE("columns are the numbers, then the features in their order") {
  const EmbeddingTables<float> tables(good, 1);
  CHECK(tables.num_tables() == 2);
  CHECK(tables.layout().num_features() == 3);
  CHECK(tables.layout().num_dense() == 2);
  CHECK(tables.width() == 2 + 3 + 4 + 4);
  CHECK(tables.layout().first_column(0) == 2);
  CHECK(tables.layout().first_column(1) == 5);
  CHECK(tables.layout().first_column(2) == 9);
  CHECK(tables.layout().table_of(0) == 1);
  CHECK(tables.layout().table_of(2) == 0);
  CHECK(tables.layout().shared_columns() == std::vector<Index>{1, 2, 3, 4});
  CHECK(tables.row(0, 3).data() == tables.values(0).data() + 12);
  CHECK(tables.row(0, 3).size() == 4);
}

TEST_CASE("a row starts with numbers of seed, table, row and column alone") {
  const EmbeddingTables<float> tables(good, 7);
  CHECK(numbers(EmbeddingTables<float>(good, 7), 0) == numbers(tables, 0));
  CHECK(numbers(EmbeddingTables<float>(good, 8), 0) != numbers(tables, 0));

  ThreadPool pool(3);
  CHECK(numbers(EmbeddingTables<float>(good, 7, &pool), 0) == numbers(tables, 0));

  EmbeddingConfig other = good;
  std::swap(other.tables[0], other.tables[1]);
  other.tables.push_back({.name = "place", .rows = 5, .dim = 2});
  other.features.push_back({.name = "place"});
  const EmbeddingTables<float> more(other, 7);
  CHECK(numbers(more, 1) == numbers(tables, 0));
  CHECK(numbers(more, 0) == numbers(tables, 1));

  // Of a larger table at the same bound, and a wider one.
  other = good;
  other.tables[0].rows = 200;
  other.tables[0].bound = 0.1;
  const EmbeddingTables<float> larger(other, 7);
  for (const Index r : {0, 1, 63, 64, 99})
    CHECK(std::ranges::equal(larger.row(0, r), tables.row(0, r)));
  other.tables[0].dim = 6;
  const EmbeddingTables<float> wider(other, 7);
  for (const Index r : {0, 99})
    CHECK(std::ranges::equal(wider.row(0, r).first(4), tables.row(0, r)));

  EmbeddingConfig renamed = good;
  renamed.tables[0].name = "meti";
  renamed.features[1].table = renamed.features[2].table = "meti";
  CHECK(numbers(EmbeddingTables<float>(renamed, 7), 0) != numbers(tables, 0));

  const EmbeddingTables<double> doubles(good, 7);
  for (std::size_t i = 0; i < doubles.values(0).size(); ++i)
    CHECK(tables.values(0)[i] == static_cast<float>(doubles.values(0)[i]));
  const std::set<double> different(doubles.values(0).begin(), doubles.values(0).end());
  CHECK(different.size() == doubles.values(0).size());
}

TEST_CASE("rows start uniform within the bound, and reserved ones at zero") {
  EmbeddingConfig config{.tables = {{.name = "t", .rows = 10000, .dim = 8, .reserved = 2}},
                         .features = {{.name = "t"}}};
  const auto check = [&](double bound) {
    const EmbeddingTables<double> tables(config, 3);
    for (const double number : tables.values(0).first(16)) CHECK(number == 0);
    double sum = 0, squares = 0, largest = 0;
    for (const double number : tables.values(0)) {
      sum += number;
      squares += number * number;
      largest = std::max(largest, std::abs(number));
    }
    CHECK(largest <= bound);
    CHECK(largest > 0.999 * bound);
    CHECK(std::abs(sum / 80000) < 0.01 * bound);
    CHECK(std::abs(squares / 80000 / (bound * bound / 3) - 1) < 0.02);
  };
  check(0.01);
  config.tables[0].bound = 2;
  check(2);
  const auto zeros = EmbeddingTables<double>::zeros(config);
  CHECK(std::ranges::all_of(zeros.values(0), [](double number) { return number == 0; }));
}

TEST_CASE("tables adopt rows that somebody else keeps") {
  auto tables = EmbeddingTables<float>::without_rows(good, 7);
  CHECK(tables.values(0).empty());
  const EmbeddingTables<float> others(good, 8);
  std::vector<float> kept(others.values(0).begin(), others.values(0).end());
  tables.adopt(0, LargeArray<float>(kept, nullptr));
  CHECK(tables.values(0).data() == kept.data());
  CHECK_THROWS_AS(tables.adopt(0, LargeArray<float>(1, 1)), ConfigError);
  CHECK(tables.values(0).data() == kept.data());
  const auto own = std::make_shared<std::vector<float>>(kept);
  tables.adopt(0, LargeArray<float>(*own, own));
  CHECK(own.use_count() == 2);
  const EmbeddingTables<float> moved = std::move(tables);
  CHECK(moved.values(0).data() == own->data());
  CHECK(own.use_count() == 2);
  CHECK(std::ranges::equal(kept, others.values(0)));
}

TEST_CASE("tables move and are cloned; a clone is apart") {
  EmbeddingTables<float> tables(good, 7);
  const auto start = numbers(tables, 0);
  auto clone = tables.clone();
  const float* const memory = tables.values(0).data();
  const EmbeddingTables<float> moved = std::move(tables);
  CHECK(moved.values(0).data() == memory);
  CHECK(clone.values(0).data() != memory);
  CHECK(numbers(clone, 0) == start);
  clone.values(0)[0] += 1;
  CHECK(numbers(moved, 0) == start);
  STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<EmbeddingTables<float>>);
}
