// Rows of ids one by one: who gets one, who loses it, and maps that are put together again.
#include "plait/sparse/id_map.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/hash.hpp"
#include "plait/core/random.hpp"
#include "support/catch.hpp"

using Catch::Matchers::Message;
using plait::IdMap;
using plait::Index;
using Ids = std::vector<std::uint64_t>;
using Records = std::vector<IdMap::Record>;

namespace {

// Rows as they were given, and then those that were taken: row, -row.
std::vector<Index> see(IdMap& map, const Ids& ids) {
  std::vector<Index> changes;
  map.see(
      ids, [&](Index row, std::uint64_t) { changes.push_back(row); },
      [&](Index row) { changes.push_back(-row); });
  std::sort(std::ranges::find_if(changes, [](Index row) { return row < 0; }), changes.end());
  return changes;
}

Records records(const IdMap& map) {
  Records all;
  map.for_each([&](const IdMap::Record& record) { all.push_back(record); });
  std::ranges::sort(all);
  return all;
}

IdMap restored(const Records& all, Index rows, Index admission = 1) {
  return IdMap::restored(rows, admission, [&](const auto& put) {
    for (const auto& record : all) put(record);
  });
}

}  // namespace

TEST_CASE("id map: rows are given in the order of ids, the smallest first") {
  IdMap map(6);
  CHECK(see(map, {70, 50, 70, 60}) == std::vector<Index>{1, 2, 3});
  CHECK(map.row(70) == 1);
  CHECK(map.row(50) == 2);
  CHECK(map.row(60) == 3);
  CHECK(map.row(0) == 0);
  CHECK(map.size() == 3);
  CHECK(map.num_rows() == 3);
  CHECK(records(map) == Records{{50, 2, 1, 0}, {60, 3, 1, 0}, {70, 1, 2, 0}});
}

TEST_CASE("id map: an id is seen `admission` times before it has a row") {
  IdMap map(6, 3);
  CHECK(see(map, {5}).empty());
  CHECK(see(map, {5, 8}).empty());
  CHECK(map.row(5) == 0);
  CHECK(map.size() == 2);
  CHECK(map.num_rows() == 0);
  CHECK(see(map, {8, 8, 5, 8}) == std::vector<Index>{1, 2});
  CHECK(map.row(8) == 1);
  CHECK(map.row(5) == 2);
}

TEST_CASE("id map: the oldest go, then the least seen, then the smallest") {
  const auto full = [](const Ids& again) {
    IdMap map(11);  // rows 1 to 10: one of ten goes
    see(map, {10, 11, 12, 13, 14, 15, 16, 17, 18, 19});
    see(map, again);
    return map;
  };
  const auto taken = [&](const Ids& again) {
    IdMap map = full(again);
    const auto changes = see(map, {99});
    CHECK(map.row(99) == 0);
    CHECK(map.num_rows() == 9);
    CHECK(see(map, {99}) == std::vector<Index>{-changes.at(0)});
    return changes;
  };
  CHECK(taken({10, 11, 12, 13, 14, 16, 17, 18, 19}) == std::vector<Index>{-6});
  CHECK(taken({19, 18, 17, 16, 15, 14, 13, 11, 10, 10, 12, 13, 12, 11, 14, 15, 16, 17, 18}) ==
        std::vector<Index>{-10});
  CHECK(taken({10, 11, 12, 13, 14, 15, 16, 17, 18, 19}) == std::vector<Index>{-1});
}

TEST_CASE("id map: ids that wait are forgotten like those with rows") {
  IdMap map(11, 2);
  see(map, {10, 11, 12, 13, 14, 15, 16, 17, 18, 19});
  see(map, {20});  // no room: the smallest of the oldest goes
  CHECK(map.size() == 9);
  CHECK(see(map, {10, 11}) == std::vector<Index>{1});
  CHECK(map.row(11) == 1);
}

TEST_CASE("id map: a table of one row beside row 0 gives it to one after the other") {
  IdMap map(2);
  CHECK(see(map, {7}) == std::vector<Index>{1});
  CHECK(see(map, {8}) == std::vector<Index>{-1});
  CHECK(map.row(7) == 0);
  CHECK(see(map, {8}) == std::vector<Index>{1});
}

TEST_CASE("id map: ids are found whatever was taken out between them") {
  plait::Random random(1);
  for (const Index admission : {1, 2}) {
    IdMap map(40, admission);
    for (int step = 0; step < 3000; ++step) {
      Ids ids;
      for (int i = 0; i < 6; ++i) ids.push_back(static_cast<std::uint64_t>(random.below(300)));
      see(map, ids);
      std::size_t found = 0;
      std::vector<bool> rows(40);
      map.for_each([&](const IdMap::Record& record) {
        ++found;
        if (map.row(record.id) != record.row) FAIL("id " << record.id << " is not found");
        if (record.row != 0 && rows[record.row]) FAIL("row " << record.row << " twice");
        rows[record.row] = true;
      });
      if (found != map.size()) FAIL("ids are lost");
    }
  }
}

TEST_CASE("id map: a copy and one of the same records go on alike") {
  plait::Random random(2);
  IdMap map(30, 2);
  const auto ids = [&] {
    Ids drawn;
    for (int i = 0; i < 7; ++i) drawn.push_back(static_cast<std::uint64_t>(random.below(90)));
    return drawn;
  };
  for (int step = 0; step < 500; ++step) see(map, ids());
  IdMap copy = map.clone();
  IdMap other = restored(records(map), 30, 2);
  CHECK(records(copy) == records(map));
  CHECK(records(other) == records(map));
  for (int step = 0; step < 500; ++step) {
    const Ids next = ids();
    const auto changes = see(map, next);
    REQUIRE(see(copy, next) == changes);
    REQUIRE(see(other, next) == changes);
  }
  CHECK(records(copy) == records(map));
  CHECK(records(other) == records(map));
}

TEST_CASE("id map: records that no map has are refused") {
  const auto refusal = [](const Records& all, Index admission) {
    try {
      restored(all, 4, admission);
    } catch (const plait::ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  const std::string where = "plait::IdMap: records: got ";
  CHECK(refusal({{1, 3, 1, 0}, {2, 1, 1, 9}}, 1) == "none");
  CHECK(refusal({{1, 4, 1, 0}}, 1) == where + "row 4, expected at most 3");
  CHECK(refusal({{1, 3, 1, 0}, {2, 3, 1, 0}}, 1) ==
        where + "row 3 twice, expected an id for a row");
  CHECK(refusal({{1, 3, 1, 0}, {1, 2, 1, 0}}, 1) == where + "id 1 twice, expected each id once");
  CHECK(refusal({{1, 3, 0, 0}}, 1) == where + "id 1 seen 0 times, expected once or more");
  CHECK(refusal({{1, 0, 1, 0}}, 1) == where + "1 ids without rows, expected at most 0");
  CHECK(refusal({{1, 0, 1, 0}, {2, 0, 1, 0}, {3, 0, 1, 0}}, 2) == "none");
  CHECK(refusal({{1, 0, 1, 0}, {2, 0, 1, 0}, {3, 0, 1, 0}, {4, 0, 1, 0}}, 2) ==
        where + "4 ids without rows, expected at most 3");
}

TEST_CASE("id map: restoring ids that were chosen to fall on one place ends early") {
  constexpr Index rows = 5000;
  Records all;
  for (std::uint64_t id = 0; all.size() < 4200; ++id)  // the first of 2 (rows - 1) places
    if (plait::in_range(plait::mix64(id), 2 * (rows - 1)) == 0)
      all.push_back({id, static_cast<std::uint32_t>(all.size() + 1), 1, 0});
  CHECK_THROWS_WITH(restored(all, rows),
                    "plait::IdMap: records: got ids that fall on one place, expected ids of a map");
  all.resize(4000);
  const IdMap map = restored(all, rows);
  CHECK(map.num_rows() == 4000);
  CHECK(map.row(all.back().id) == 4000);
}

TEST_CASE("id map: sizes out of range are refused") {
  CHECK_THROWS_WITH(IdMap(1), "plait::IdMap: rows: got 1, expected 2 to 2^30");
  CHECK_THROWS_WITH(IdMap(0), "plait::IdMap: rows: got 0, expected 2 to 2^30");
  CHECK_THROWS_WITH(IdMap((Index{1} << 30) + 1),
                    "plait::IdMap: rows: got 1073741825, expected 2 to 2^30");
  CHECK_THROWS_WITH(IdMap(2, 0), "plait::IdMap: admission: got 0, expected 1 to 2^32 - 1");
}
