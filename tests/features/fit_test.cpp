// What fitting finds.
#include <cmath>

#include "plait/core/random.hpp"
#include "support.hpp"
#include "support/catch.hpp"

using namespace plait;
using enum plait::FeatureKind;
using features::fitted;
using features::ids;
using features::Ids;
using features::List;
using features::numbers;
using features::Row;

TEST_CASE("a vocabulary has its values by count, then bytes, from row 2 on") {
  const std::vector<RawValue> values{"c", "b", "c", "a", "b", "c", "once", {}, "", "\xff", "\xff"};
  const auto encoder = fitted({}, values);
  CHECK(encoder.embeddings().tables[0].rows == 5);
  CHECK(encoder.embeddings().tables[0].reserved == 2);
  CHECK(ids(encoder, "c") == Ids{2});
  CHECK(ids(encoder, "b") == Ids{3});  // before \xff: bytes are unsigned
  CHECK(ids(encoder, "\xff") == Ids{4});
  CHECK(ids(encoder, "a") == Ids{0});
  CHECK(ids(encoder, "never") == Ids{0});
  CHECK(ids(encoder, {}) == Ids{1});
  CHECK(ids(encoder, "") == Ids{1});

  const FeatureReport& report = encoder.state().fitted[0].report;
  CHECK(
      report ==
      FeatureReport{
          .name = "x", .rows = 11, .missing = 2, .ids = 9, .distinct = 5, .kept = 3, .unknown = 2});

  CHECK(fitted({.min_count = 1}, values).embeddings().tables[0].rows == 7);
  CHECK(fitted({.min_count = 1}, values).state().fitted[0].report.unknown == 0);
  const auto two = fitted({.max_size = 2}, values);
  CHECK(two.embeddings().tables[0].rows == 4);
  CHECK(ids(two, "\xff") == Ids{0});
}

TEST_CASE("a vocabulary may be empty") {
  const auto encoder = fitted({}, {RawValue()});
  CHECK(encoder.embeddings().tables[0].rows == 2);
  CHECK(ids(encoder, "a") == Ids{0});
  CHECK(ids(encoder, {}) == Ids{1});
}

TEST_CASE("features on one table share its vocabulary, and say whose values count") {
  const auto encoder_of = [](bool counts) {
    return fitted(
        EncoderConfig{
            {{.name = "item", .dim = 2},
             {.name = "history", .table = "item", .dim = 2, .bag = Bag{" "}, .counts = counts}}},
        {"item", "history"}, {{"a", ""}, {"a", "b"}, {"b", "c c a a"}});
  };
  const auto both = encoder_of(true);
  CHECK(both.state().vocabularies.size() == 1);
  CHECK(both.state().vocabularies[0].bytes() == "abc");  // 4, 2, 2
  CHECK(both.embeddings().tables.size() == 1);
  CHECK(both.embeddings().features[1].table == "item");
  CHECK(
      both.state().fitted[1].report ==
      FeatureReport{.name = "history", .rows = 3, .empty = 1, .ids = 5, .distinct = 3, .kept = 3});
  const auto one = encoder_of(false);
  CHECK(one.state().vocabularies[0].bytes() == "a");
  CHECK(one.state().fitted[0].report.unknown == 1);
  CHECK(one.state().fitted[1].report.unknown == 3);
}

TEST_CASE("numbers are standardised by the mean and deviation of the rows") {
  const std::vector<RawValue> values{"1", "2", {}, "6", "+3e0", ""};
  const auto encoder = fitted({.kind = number}, values);
  const double deviation = std::sqrt((4 + 1 + 9 + 0) / 4.0);
  CHECK(encoder.state().fitted[0].mean == 3);
  CHECK(encoder.state().fitted[0].deviation == Approx(deviation).epsilon(1e-15));
  CHECK(numbers(encoder, "7") == std::vector{static_cast<float>(4 / deviation)});
  CHECK(numbers(encoder, {}) == std::vector{0.0f});
  CHECK(numbers(fitted({.kind = number, .clip = 2}, values), "-1000") == std::vector{-2.0f});
  CHECK(numbers(fitted({.kind = number, .standardise = false}, values), "-1000.5") ==
        std::vector{-1000.5f});
  const auto flagged = fitted({.kind = number, .missing_flag = true}, values);
  CHECK(numbers(flagged, {}) == std::vector{0.0f, 1.0f});
  CHECK(numbers(flagged, "3") == std::vector{0.0f, 0.0f});
  CHECK(flagged.embeddings().dense.size() == 2);
  CHECK(flagged.numbers()[1] == "x missing");

  const auto logs = fitted({.kind = number, .log1p = true, .standardise = false}, values);
  CHECK(numbers(logs, "3") == std::vector{static_cast<float>(std::log(4.0))});
  CHECK(numbers(logs, "-3") == std::vector{static_cast<float>(-std::log(4.0))});

  // A constant is 0, and what else comes its distance from it.
  const auto constant = fitted({.kind = number}, {"0.1", "0.1", "0.1"});
  CHECK(numbers(constant, "0.1") == std::vector{0.0f});
  CHECK(numbers(constant, "1.1") == std::vector{1.0f});
}

TEST_CASE("buckets count the boundaries at or below a number") {
  const auto given = fitted({.kind = bucket, .boundaries = {-1, 0.1, 5}}, {"0"});
  CHECK(given.embeddings().tables[0].rows == 6);
  CHECK(ids(given, "-2") == Ids{2});
  CHECK(ids(given, "-1") == Ids{3});
  CHECK(ids(given, "0.1") == Ids{4});  // in double: 0.1f is larger
  CHECK(ids(given, "0.09999999999999999") == Ids{3});
  CHECK(ids(given, "1e300") == Ids{5});
  CHECK(ids(given, {}) == Ids{1});

  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) texts.push_back(std::to_string(i * 377 % 1000));
  const std::vector<RawValue> values(texts.begin(), texts.end());
  const auto quantiles = fitted({.kind = bucket, .buckets = 4}, values);
  CHECK(quantiles.state().fitted[0].boundaries == std::vector<double>{250, 500, 750});
  // Half of the values are one: its bucket is one.
  const auto same = fitted({.kind = bucket, .buckets = 4}, {"1", "1", "1", "2", "3"});
  CHECK(same.state().fitted[0].boundaries == std::vector<double>{2});
  CHECK(fitted({.kind = bucket, .buckets = 4}, {RawValue()}).embeddings().tables[0].rows == 3);
}

TEST_CASE("quantiles of many numbers come from a sample that all of them had the same part in") {
  detail::QuantileSample sample, again;
  constexpr int count = 3'000'000;
  for (int i = 0; i < count; ++i) {
    sample.add(i);
    again.add(i);
  }
  const auto boundaries = sample.boundaries(10);
  REQUIRE(boundaries.size() == 9);
  for (std::size_t i = 0; i < 9; ++i)
    CHECK(std::abs(boundaries[i] / count - 0.1 * static_cast<double>(i + 1)) < 0.002);
  CHECK(boundaries == again.boundaries(10));
}

TEST_CASE("hashes go to the rows that the equation gives, and collisions are counted") {
  std::vector<std::string> texts;
  for (int i = 0; i < 100; ++i) texts.push_back(std::to_string(i));
  const std::vector<RawValue> values(texts.begin(), texts.end());
  const auto encoder = fitted({.kind = hash, .buckets = 64}, values);
  CHECK(encoder.embeddings().tables[0].rows == 66);
  for (const std::string& text : texts)
    CHECK(ids(encoder, text) == Ids{2 + in_range(xxh64(text, xxh64("x")), 64)});
  CHECK(ids(encoder, {}) == Ids{1});
  const FeatureReport& report = encoder.state().fitted[0].report;
  CHECK(report.distinct == 100);
  CHECK(report.kept + report.collisions == 100);
  CHECK(report.kept <= 64);
  CHECK(report.kept > 40);  // 64 (1 - e^(-100/64)) = 50

  const auto growing_ids = fitted({.kind = growing, .rows = 10, .admission = 3}, values);
  const TableConfig& table = growing_ids.embeddings().tables[0];
  CHECK(table.growing);
  CHECK(table.rows == 10);
  CHECK(table.reserved == 1);
  CHECK(table.admission == 3);
  CHECK(ids(growing_ids, "5") == Ids{xxh64("5", xxh64("x"))});
  CHECK(ids(growing_ids, {}) == Ids{xxh64("", xxh64("x"))});
}

TEST_CASE("numbers below rows are ids themselves") {
  const auto encoder = fitted({.kind = direct, .rows = 24}, {"0", "23"});
  CHECK(encoder.embeddings().tables[0].rows == 24);
  CHECK(encoder.embeddings().tables[0].reserved == 0);
  CHECK(ids(encoder, "23") == Ids{23});
  CHECK(ids(encoder, {}) == Ids{});
  for (const char* text : {"24", "-1", "1.0", " 1", "1 ", "x", "18446744073709551616"}) {
    CHECK_THROWS_AS(ids(encoder, text), ColumnError);
  }
}

TEST_CASE("combinations are one value of several columns") {
  const auto encoder =
      fitted(EncoderConfig{{{.name = "pair", .columns = {"a", "b"}, .dim = 2, .min_count = 1}}},
             {"b", "a"}, {{"1", "x"}, {"1", "x"}, {"2", "x"}, {{}, "x"}, {{}, {}}, {"1", ""}});
  CHECK(encoder.state().fitted[0].report.missing == 1);
  const auto encoded = [&](RawValue a, RawValue b) {
    const features::Names names{"a", "b"};
    auto rows = encoder.rows();
    const Row row{a, b};
    encoder.encode(row, encoder.layout(names), rows);
    return rows.batch().sparse.feature(0).ids[0];
  };
  CHECK(encoded("x", "1") == 2);
  CHECK(encoded({}, "1") > 2);
  CHECK(encoded("x", "2") > 2);
  CHECK(encoded("x", {}) > 2);
  CHECK(encoded("x1", {}) == 0);
  CHECK(encoded({}, {}) == 1);
}

TEST_CASE("a row that is refused leaves nothing behind") {
  const EncoderConfig config{{{.name = "a", .dim = 1, .min_count = 1},
                              {.name = "n", .kind = number},
                              {.name = "d", .kind = direct, .dim = 1, .rows = 3}}};
  EncoderFit fit(config), expected(config);
  const features::Names names{"a", "n", "d"};
  const auto layout = fit.layout(names);
  const auto add = [&](EncoderFit& to, const Row& row) { to.add(row, layout); };
  for (EncoderFit* to : {&fit, &expected}) add(*to, {"x", "1", "2"});
  CHECK_THROWS_WITH(add(fit, {"y", "two", "2"}),
                    "plait::FeatureEncoder: column 'n': got 'two', expected a number");
  CHECK_THROWS_AS(add(fit, {"y", "2", "3"}), ColumnError);
  const std::string_view list[] = {"y"};
  CHECK_THROWS_WITH(add(fit, {List(list), "2", "2"}),
                    "plait::FeatureEncoder: column 'a': got a list of 1, expected a text: the "
                    "feature has no bag");
  CHECK_THROWS_AS(add(fit, {"y", "2"}), ShapeError);
  for (EncoderFit* to : {&fit, &expected}) add(*to, {"z", "3", "1"});
  CHECK(fit.rows() == 2);
  CHECK(fit.finish().fingerprint() == expected.finish().fingerprint());
  CHECK(fit.finish().state().fitted[0].report == expected.finish().state().fitted[0].report);
}

TEST_CASE("a fit of nothing, and of numbers beyond the range of their deviation") {
  CHECK_THROWS_WITH(EncoderFit(EncoderConfig{{{.name = "a", .dim = 1}}}).finish(),
                    "plait::EncoderFit: rows: got none, expected at least one");
  CHECK_THROWS_AS(fitted({.kind = number}, {"1e308", "-1e308"}), ValueError);
}

TEST_CASE("texts that mean nothing are missing") {
  const EncoderConfig config{
      {{.name = "a", .dim = 1, .min_count = 1}, {.name = "n", .kind = number}}, {"?", "NA"}};
  const auto encoder = fitted(config, {"a", "n"}, {{"?", "NA"}, {"b", "1"}, {"NA", "3"}});
  CHECK(encoder.state().vocabularies[0].bytes() == "b");
  CHECK(encoder.state().fitted[0].report.missing == 2);
  CHECK(encoder.state().fitted[1].mean == 2);
}
