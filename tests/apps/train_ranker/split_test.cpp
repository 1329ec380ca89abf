#include "split.hpp"

#include <array>
#include <string>
#include <vector>

#include "plait/features/column_error.hpp"
#include "support/catch.hpp"

namespace {

using ranker::HashSplit;
using ranker::Part;
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("split: eight of ten rows train, by their values alone") {
  HashSplit split(Names{"a", "b"}), turned(Names{"b", "a"});
  std::array<int, 3> counts{};
  for (int i = 0; i < 10'000; ++i) {
    const std::string a = std::to_string(i % 100), b = std::to_string(i / 100);
    const std::array<plait::RawValue, 2> row{a, b}, other{b, a};
    const Part part = split.part_of(row);
    CHECK(turned.part_of(other) == part);
    CHECK(split.part_of(row) == part);
    ++counts[static_cast<std::size_t>(part)];
  }
  // Three deviations of 10,000 draws.
  CHECK(std::abs(counts[0] - 8000) < 120);
  CHECK(std::abs(counts[1] - 1000) < 90);
  CHECK(std::abs(counts[2] - 1000) < 90);
}

TEST_CASE("split: values do not run into each other, and lists count") {
  HashSplit split(Names{"a", "b"});
  int texts = 0, lists = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string n = std::to_string(i), more = n + "x";
    const std::array<std::string_view, 2> items{n, "x"}, joined{more, ""};
    const auto differ = [&](const plait::RawValue& a, const plait::RawValue& b,
                            const plait::RawValue& c, const plait::RawValue& d) {
      return split.part_of(std::array{a, b}) != split.part_of(std::array{c, d}) ? 1 : 0;
    };
    texts += differ(more, "", n, "x");
    lists += differ(std::span<const std::string_view>(items), "",
                    std::span<const std::string_view>(joined), "");
  }
  CHECK(texts > 20);
  CHECK(lists > 20);
}

TEST_CASE("split: a column says train, validation or test") {
  CHECK(ranker::part_of("train", "part") == Part::train);
  CHECK(ranker::part_of("validation", "part") == Part::validation);
  CHECK(ranker::part_of("test", "part") == Part::test);
  for (const char* wrong : {"", "Train", "valid", "0"})
    CHECK_THROWS_WITH(ranker::part_of(wrong, "part"),
                      "plait::FeatureEncoder: column 'part': got '" + std::string(wrong) +
                          "', expected train, validation or test");
  CHECK_THROWS_AS(ranker::part_of({}, "part"), plait::ColumnError);
}
