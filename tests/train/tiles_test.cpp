#include "plait/train/tiles.hpp"

#include <cstdint>
#include <utility>
#include <vector>

#include "plait/core/random.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

using plait::Index;
using plait::Tiles;

namespace {

using Ranges = std::vector<std::pair<Index, Index>>;

Ranges ranges(const Tiles& tiles) {
  Ranges result;
  for (Index i = 0; i < tiles.count(); ++i) result.emplace_back(tiles.first(i), tiles.rows(i));
  return result;
}

}  // namespace

TEST_CASE("tiles cover a batch in order") {
  Tiles tiles;
  CHECK(tiles.count() == 0);
  tiles.cut(10, 4);
  CHECK(ranges(tiles) == Ranges{{0, 4}, {4, 4}, {8, 2}});
  tiles.cut(8, 4);
  CHECK(ranges(tiles) == Ranges{{0, 4}, {4, 4}});
  tiles.cut(3, 4);
  CHECK(ranges(tiles) == Ranges{{0, 3}});
  tiles.cut(0, 4);
  CHECK(tiles.count() == 0);
}

TEST_CASE("tiles end where groups end; one that is larger than a tile is a tile") {
  Tiles tiles;
  const std::vector<std::int64_t> groups{1, 1, 2, 3, 3, 3, 3, 3, 4, 5, 6, 6};
  tiles.cut(groups, 4);
  CHECK(ranges(tiles) == Ranges{{0, 3}, {3, 5}, {8, 4}});
  tiles.cut(groups, 1);
  CHECK(ranges(tiles) == Ranges{{0, 2}, {2, 1}, {3, 5}, {8, 1}, {9, 1}, {10, 2}});
  tiles.cut(groups, 100);
  CHECK(ranges(tiles) == Ranges{{0, 12}});
  tiles.cut(std::vector<std::int64_t>{}, 4);
  CHECK(tiles.count() == 0);
}

TEST_CASE(
    "however large the groups, tiles cover the batch, cut no group and do not allocate twice") {
  Tiles tiles;
  tiles.cut(std::vector<std::int64_t>(200, 0), 8);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    plait::Random random(seed);
    std::vector<std::int64_t> groups;
    for (std::int64_t id = 0; groups.size() < 200; ++id)
      groups.insert(groups.end(),
                    static_cast<std::size_t>(1 + random.below(seed % 2 == 0 ? 3 : 20)), id);
    groups.resize(200);
    const auto before = allocations::count();
    tiles.cut(groups, 8);
    const auto after = allocations::count();
    CHECK(after == before);
    Index next = 0;
    for (Index i = 0; i < tiles.count(); ++i) {
      CHECK(tiles.first(i) == next);
      CHECK(tiles.rows(i) > 0);
      next += tiles.rows(i);
      const auto last = static_cast<std::size_t>(next);
      if (last < groups.size()) CHECK(groups[last] != groups[last - 1]);
      // No smaller than it must be: the next group does not fit.
      if (i > 0) CHECK(tiles.rows(i - 1) + tiles.rows(i) > 8);
      const bool one_group = groups[static_cast<std::size_t>(tiles.first(i))] == groups[last - 1];
      CHECK((tiles.rows(i) <= 8 || one_group));
    }
    CHECK(next == 200);
  }
}
