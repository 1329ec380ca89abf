// Batches of encoded rows.
#include <algorithm>
#include <string>

#include "plait/sparse/embedding_layout.hpp"
#include "support.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

using namespace plait;
using enum plait::FeatureKind;
using features::fitted;
using features::ids;
using features::Ids;
using features::List;
using features::Row;

namespace {

EncoderConfig every_kind() {
  return {{{.name = "user", .side = Side::user, .dim = 2, .min_count = 1},
           {.name = "city", .kind = hash, .dim = 2, .buckets = 50},
           {.name = "hour", .kind = direct, .dim = 2, .rows = 24},
           {.name = "session", .kind = growing, .dim = 2, .rows = 100},
           {.name = "price", .kind = bucket, .dim = 2, .boundaries = {1, 10}},
           {.name = "pair", .columns = {"user", "city"}, .dim = 2, .min_count = 1},
           {.name = "tags", .dim = 2, .pooling = Pooling::mean, .bag = Bag{"|", 2}, .min_count = 1},
           {.name = "age", .kind = number, .side = Side::user, .missing_flag = true},
           {.name = "log price", .kind = number, .columns = {"price"}, .log1p = true}}};
}
const features::Names names{"user", "city", "hour", "session", "price", "tags", "age"};
const std::vector<Row> rows{{"u", "c", "3", "s", "5", "a|b|c", "20"},
                            {"v", "c", "0", "s", "0.5", "", "30"},
                            {{}, {}, {}, {}, {}, {}, {}}};

}  // namespace

TEST_CASE("rows of every kind become one batch") {
  const auto encoder = fitted(every_kind(), names, rows);
  CHECK(encoder.columns().size() == 7);
  const EmbeddingConfig& embeddings = encoder.embeddings();
  CHECK(embeddings.tables.size() == 7);
  CHECK(embeddings.features.size() == 7);
  CHECK(embeddings.features[0].side == Side::user);
  CHECK(embeddings.features[6].pooling == Pooling::mean);
  CHECK(embeddings.dense == std::vector{Side::user, Side::user, Side::item});

  auto encoded = encoder.rows();
  const auto layout = encoder.layout(names);
  for (const Row& row : rows) encoder.encode(row, layout, encoded);
  CHECK(encoded.size() == 3);
  const FeatureBatch<float> batch = encoded.batch();
  CHECK(batch.batch() == 3);
  CHECK(batch.dense.dim() == 3);
  CHECK(batch.dense.row(2)[1] == 1);
  const auto feature = [&](Index f) { return batch.sparse.feature(f); };
  const auto ids_of = [&](Index f) { return Ids(feature(f).ids.begin(), feature(f).ids.end()); };
  CHECK(ids_of(0) == Ids{2, 3, 1});
  CHECK(feature(0).offsets.empty());
  CHECK(ids_of(2) == Ids{3, 0});
  CHECK(std::vector(feature(2).offsets.begin(), feature(2).offsets.end()) ==
        std::vector<std::int64_t>{0, 1, 2, 2});
  CHECK(ids_of(4) == Ids{3, 2, 1});
  // The last two; an empty bag; a missing one.
  const TextTable& tags = encoder.state().vocabularies[2];
  CHECK(ids_of(6) == Ids{2 + static_cast<std::uint64_t>(tags.find("b")),
                         2 + static_cast<std::uint64_t>(tags.find("c")), 1});
  CHECK(std::vector(feature(6).offsets.begin(), feature(6).offsets.end()) ==
        std::vector<std::int64_t>{0, 2, 2, 3});
  CHECK(tags.find("a") == TextTable::none);  // never encoded, so never trained

  // Direct ids without a missing one need no offsets.
  encoded.clear();
  encoder.encode(rows[0], layout, encoded);
  CHECK(encoded.batch().sparse.feature(2).offsets.empty());
  CHECK(encoded.batch().sparse.feature(6).offsets.size() == 2);
}

TEST_CASE("bags split texts and take lists as they are") {
  const auto encoder = fitted({.bag = Bag{}, .min_count = 1}, {"a|b", "a|b", "a", "c|d e"});
  CHECK(ids(encoder, "a|b|b|a") == Ids{2, 3, 3, 2});
  CHECK(ids(encoder, "|a||b|") == Ids{2, 3});
  CHECK(ids(encoder, "|") == Ids{});
  CHECK(ids(encoder, "") == Ids{});
  CHECK(ids(encoder, "a|zzz") == Ids{2, 0});
  const std::string_view list[] = {"a", "", "b", "a|b"};
  CHECK(ids(encoder, List(list)) == Ids{2, 3, 0});
  CHECK(ids(encoder, List()) == Ids{});

  const auto last = fitted({.bag = Bag{", ", 2}, .min_count = 1}, {"a, b", "a, b", "a", "c"});
  CHECK(ids(last, "a, a, b, c") == Ids{3, 4});
  CHECK(ids(last, "c, , , ") == Ids{4});
  CHECK(ids(last, List(list)) == Ids{3, 0});
  const auto whole = fitted({.bag = Bag{""}, .min_count = 1}, {"a|b"});
  CHECK(ids(whole, "a|b") == Ids{2});
}

TEST_CASE("columns are found by name") {
  const auto encoder = fitted(every_kind(), names, rows);
  const features::Names few{"age", "user"}, twice{"age", "age"};
  CHECK_THROWS_WITH(encoder.layout(few),
                    "plait::ColumnLayout: columns: got no 'city', expected it");
  CHECK_THROWS_AS(encoder.layout(twice, Absent::missing), ConfigError);
  auto encoded = encoder.rows();
  const Row row{"20", "u"};
  encoder.encode(row, encoder.layout(few, Absent::missing), encoded);
  CHECK(encoded.batch().sparse.feature(0).ids[0] == 2);
  CHECK(encoded.batch().sparse.feature(1).ids[0] == 1);
}

TEST_CASE("a row that is refused leaves the rows as they were") {
  const auto encoder = fitted(every_kind(), names, rows);
  auto encoded = encoder.rows();
  const auto layout = encoder.layout(names);
  encoder.encode(rows[0], layout, encoded);
  const auto refused = [&](std::size_t column, const char* value) {
    Row row = rows[1];
    row[column] = value;
    CHECK_THROWS_AS(encoder.encode(row, layout, encoded), ColumnError);
    CHECK(encoded.size() == 1);
    CHECK(encoded.batch().sparse.feature(0).ids.size() == 1);
    CHECK(encoded.batch().sparse.feature(6).ids.size() == 2);
    CHECK(encoded.batch().dense.batch() == 1);
  };
  refused(2, "24");
  refused(4, "cheap");
  refused(4, "nan");
  refused(6, "1e400");
  refused(6, "-inf");
  const auto raw = fitted({.kind = number, .standardise = false}, {"1"});
  CHECK_THROWS_WITH(features::numbers(raw, "1e39"),
                    "plait::FeatureEncoder: column 'x': got '1e39', expected a number that a "
                    "float holds");
  auto others = raw.rows();
  CHECK_THROWS_AS(encoder.encode(rows[0], layout, others), ShapeError);
  CHECK_THROWS_AS(raw.encode(rows[0], layout, others), ShapeError);
  const Row few{"u"};
  CHECK_THROWS_AS(encoder.encode(few, layout, encoded), ShapeError);
}

TEST_CASE("rows of one side have what whole rows have of it") {
  EncoderConfig config = every_kind();
  for (std::size_t f = 0; f < config.features.size(); ++f)
    config.features[f].side = f % 2 == 0 ? Side::user : Side::item;
  const auto encoder = fitted(config, names, rows);
  const auto layout = encoder.layout(names);
  const EmbeddingLayout whole_layout(encoder.embeddings());
  auto whole = encoder.rows();
  for (const Row& row : rows) encoder.encode(row, layout, whole);
  for (const Side side : {Side::user, Side::item}) {
    auto part = encoder.rows(side);
    for (const Row& row : rows) encoder.encode(row, layout, part);
    const EmbeddingLayout part_layout = whole_layout.part(side);
    const auto batch = part.batch(), all = whole.batch();
    REQUIRE(batch.sparse.num_features() == part_layout.num_features());
    Index place = 0;
    for (Index f = 0; f < whole_layout.num_features(); ++f) {
      if (whole_layout.feature(f).side != side) continue;
      const auto got = batch.sparse.feature(place++), expected = all.sparse.feature(f);
      CHECK(std::ranges::equal(got.ids, expected.ids));
      CHECK(std::ranges::equal(got.offsets, expected.offsets));
    }
    REQUIRE(batch.dense.dim() == part_layout.num_dense());
    for (Index b = 0; b < batch.batch(); ++b) {
      Index number = 0;
      for (Index d = 0; d < whole_layout.num_dense(); ++d)
        if (encoder.embeddings().dense[static_cast<std::size_t>(d)] == side)
          CHECK(batch.dense(b, 0, number++) == all.dense(b, 0, d));
    }
    // A value of the other side is not looked at.
    Row bad = rows[0];
    bad[side == Side::user ? 6 : 2] = side == Side::user ? "young" : "99";
    CHECK_NOTHROW(encoder.encode(bad, layout, part));
    bad = rows[0];
    bad[side == Side::user ? 2 : 6] = side == Side::user ? "99" : "young";
    CHECK_THROWS_AS(encoder.encode(bad, layout, part), ColumnError);
    CHECK(part.size() == 4);
  }
}

TEST_CASE("encoding allocates nothing after the first rows of a size") {
  const auto encoder = fitted(every_kind(), names, rows);
  auto encoded = encoder.rows();
  const auto layout = encoder.layout(names);
  const std::string_view list[] = {"a", "b", "c"};
  Row with_list = rows[0];
  with_list[5] = List(list);
  const auto encode = [&] {
    encoded.clear();
    for (int i = 0; i < 50; ++i) {
      for (const Row& row : rows) encoder.encode(row, layout, encoded);
      encoder.encode(with_list, layout, encoded);
    }
    return encoded.batch().batch();
  };
  encode();
  const std::size_t before = allocations::count();
  CHECK(encode() == 200);
  CHECK(allocations::count() == before);
}

TEST_CASE("encoders that encode alike have one fingerprint") {
  const auto fingerprint = [](const EncoderConfig& config, const std::vector<Row>& from) {
    return fitted(config, names, from).fingerprint();
  };
  const auto expected = fingerprint(every_kind(), rows);
  CHECK(fingerprint(every_kind(), rows) == expected);
  const auto changed = [&](auto change) {
    EncoderConfig config = every_kind();
    change(config.features);
    return fingerprint(config, rows);
  };
  CHECK(changed([](auto& f) { f[1].buckets = 51; }) != expected);
  CHECK(changed([](auto& f) { f[6].bag->separator = "/"; }) != expected);
  CHECK(changed([](auto& f) { f[7].missing_flag = false; }) != expected);
  CHECK(changed([](auto& f) { std::swap(f[0], f[1]); }) != expected);
  auto other = rows;
  other[0][0] = "w";
  CHECK(fingerprint(every_kind(), other) != expected);
  other = rows;
  other[1][6] = "31";
  CHECK(fingerprint(every_kind(), other) != expected);
}
