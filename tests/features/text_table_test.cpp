#include "plait/features/text_table.hpp"

#include <map>
#include <string>

#include "plait/core/random.hpp"
#include "support/catch.hpp"

using namespace plait;

TEST_CASE("a table of texts numbers them in the order in which they came, as a map would") {
  Random random(1);
  TextTable table;
  std::map<std::string, Index> expected;
  for (int i = 0; i < 200'000; ++i) {
    std::string text = std::to_string(random.below(60'000));
    if (i % 7 == 0) text.assign(static_cast<std::size_t>(random.below(40)), '\0');
    const auto [at, added] = expected.try_emplace(text, std::ssize(expected));
    if (added) CHECK(table.find(text) == TextTable::none);
    REQUIRE(table.insert(text) == at->second);
    REQUIRE(table.size() == std::ssize(expected));
  }
  for (const auto& [text, number] : expected) {
    REQUIRE(table.find(text) == number);
    REQUIRE(table[number] == text);
  }
  CHECK(table.find("60000") == TextTable::none);

  const TextTable copy(table.bytes(), table.offsets());
  REQUIRE(copy.size() == table.size());
  for (const auto& [text, number] : expected) REQUIRE(copy.find(text) == number);
}

TEST_CASE("an empty table of texts finds nothing") {
  CHECK(TextTable().find("") == TextTable::none);
  const std::int64_t zero = 0;
  CHECK(TextTable("", std::span(&zero, 1)).size() == 0);
}

TEST_CASE("a table of texts refuses offsets that do not part the bytes, and a text twice") {
  using Offsets = std::vector<std::int64_t>;
  for (const Offsets& offsets : {Offsets{}, Offsets{1, 4}, Offsets{0, 3}, Offsets{0, 5},
                                 Offsets{0, 3, 2, 4}, Offsets{0, -1, 4}, Offsets{0, 9, 4}}) {
    CHECK_THROWS_AS(TextTable("abab", offsets), ValueError);
  }
  CHECK_THROWS_WITH(TextTable("abab", Offsets{0, 2, 4}),
                    "plait::TextTable: texts: got 'ab' twice, expected different ones");
  CHECK_THROWS_AS(TextTable("ab", Offsets{0, 0, 1, 1, 2}), ValueError);
}

// Found by counting upwards: the lower halves of their hashes begin with the same 12 bits.
TEST_CASE("a table of texts refuses texts that were made to collide") {
  std::string bytes;
  std::vector<std::int64_t> offsets{0};
  for (int i = 0; offsets.size() < 2000; ++i) {
    const std::string text = std::to_string(i);
    if ((xxh64(text) & 4095u) != 7) continue;
    bytes += text;
    offsets.push_back(static_cast<std::int64_t>(bytes.size()));
  }
  CHECK_THROWS_WITH(TextTable(bytes, offsets),
                    "plait::TextTable: texts: got many whose hashes are alike, expected ones as "
                    "they come");
}
