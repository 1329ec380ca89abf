// IdMap: which row of a growing table an id has.
//
// Ids are any 64 bits, and nobody lists them beforehand. An id is seen where a step's batch names
// it, as often as it is named; once it was seen `admission` times it gets a row, and until then it
// looks up and trains row 0, which all ids without a row share. What is seen is counted when the
// step is done, and rows are given and taken there alone. A step that is refused has changed
// nothing that would have to be undone, lookups only read, whichever thread asks, and row 0 learns
// from the very sightings that later ids have when they are new: the row that an unknown id is
// scored with has been trained by unknown ids.
//
// Memory is that of the construction. When an id finds no row free, the rows of those that were
// not seen for longest are taken until nine of ten are left, of equal age the least seen and of
// these the smallest id first, and who found none gets one when it is seen again. As many ids as
// there are rows may wait for theirs; they are forgotten in the same way.
//
// Open addressing with linear probing at a load of one half at most. What is taken out leaves no
// mark: those behind it move up.
#pragma once
#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/hash.hpp"
#include "plait/sparse/large_array.hpp"

namespace plait {

// Reading is for any number of threads while nobody sees. Moves and is not copied.
class IdMap {
 public:
  static constexpr std::uint64_t most_rows = std::uint64_t{1} << 30;

  // What is known of an id, as a file holds it. In steps of this map, `age` is since it was seen.
  struct Record {
    std::uint64_t id = 0;
    std::uint32_t row = 0;  // 0: none of its own yet
    std::uint32_t count = 0;
    std::uint32_t age = 0;

    auto operator<=>(const Record&) const = default;
  };

  // Of a table of `rows` rows, row 0 and at least one more, at most most_rows. Throws ConfigError
  // for others, and for an admission below 1 or of 2^32 and more.
  PLAIT_COLD explicit IdMap(Index rows, Index admission = 1)
      : admission_(static_cast<std::uint32_t>(admission)),
        rows_(checked_rows(rows, admission) - 1),
        most_waiting_(admission > 1 ? rows_ : 0),
        entries_(2 * (rows_ + most_waiting_), 1),
        oldest_(rows_, 1) {
    free_.reserve(rows_);
    for (std::size_t row = rows_; row > 0; --row) free_.push_back(static_cast<std::uint32_t>(row));
  }
  PLAIT_COLD IdMap clone() const {
    IdMap copy(static_cast<Index>(rows_) + 1, admission());
    std::ranges::copy(entries_.span(), copy.entries_.data());
    copy.free_.assign(free_.begin(), free_.end());
    copy.size_ = size_;
    copy.clock_ = clock_;
    return copy;
  }

  // The row of an id, 0 of one that has none.
  std::uint64_t row(std::uint64_t id) const { return entries_.data()[place_of(id)].row; }

  Index admission() const { return static_cast<Index>(admission_); }
  // Ids that are known, and those of them that have rows.
  std::size_t size() const { return size_; }
  std::size_t num_rows() const { return rows_ - free_.size(); }

  // One step's ids, in their order. Rows are given from the smallest on: admit(row, id). Then
  // evict(row) for those that are taken, in no order. Allocates nothing.
  template <class Admit, class Evict>
  void see(std::span<const std::uint64_t> ids, const Admit& admit, const Evict& evict);

  // f(record) for every id that is known: in the order of places from behind a free one, so that a
  // map that is restored from them has them in the same order.
  template <class F>
  void for_each(const F& f) const {
    const Entry* const entries = entries_.data();
    std::size_t free = 0;
    while (entries[free].count > 0) ++free;
    for (std::size_t place = after(free); place != free; place = after(place))
      if (const Entry& entry = entries[place]; entry.count > 0)
        f(Record{entry.id, entry.row, entry.count, clock_ - entry.step});
  }
  // The map that has these records: records(put) calls put(record) for each of them. Throws
  // ConfigError for ids or rows that occur twice, rows beyond the table, a count of 0, more ids
  // than there is room for, and ids that were chosen to fall on one place.
  PLAIT_COLD static IdMap restored(
      Index rows, Index admission,
      const std::function<void(const std::function<void(const Record&)>&)>& records);

 private:
  struct Entry {
    std::uint64_t id;
    std::uint32_t row;
    std::uint32_t count;  // 0: the place is free
    std::uint32_t step;   // in which it was last seen, as clock_ counts them
  };
  // What is taken first is smallest.
  struct Age {
    std::uint64_t step_and_count;
    std::uint64_t id;

    auto operator<=>(const Age&) const = default;
  };
  static constexpr std::uint32_t most = (std::numeric_limits<std::uint32_t>::max)();

  // Places that are full one behind the other, at most, where ids are restored: by chance there are
  // not a tenth as many.
  static constexpr std::size_t most_in_a_run = 4096;

  PLAIT_COLD static std::size_t checked_rows(Index rows, Index admission) {
    require_config(rows >= 2 && static_cast<std::uint64_t>(rows) <= most_rows, "IdMap", "rows",
                   text(rows), "2 to 2^30");
    require_config(admission >= 1 && static_cast<std::uint64_t>(admission) <= most, "IdMap",
                   "admission", text(admission), "1 to 2^32 - 1");
    return static_cast<std::size_t>(rows);
  }

  std::size_t home_of(std::uint64_t id) const {
    return static_cast<std::size_t>(in_range(mix64(id), entries_.size()));
  }
  std::size_t after(std::size_t place) const {
    return place + 1 == entries_.size() ? 0 : place + 1;
  }
  // Where an id is, or where it would be put.
  std::size_t place_of(std::uint64_t id) const {
    const Entry* const entries = entries_.data();
    std::size_t place = home_of(id);
    while (entries[place].count > 0 && entries[place].id != id) place = after(place);
    return place;
  }
  std::size_t num_waiting() const { return size_ - num_rows(); }

  void erase(std::size_t place);
  template <class Evict>
  void forget_oldest(bool with_rows, const Evict& evict);

  std::uint32_t admission_;
  std::size_t rows_;  // that ids may have
  std::size_t most_waiting_;
  LargeArray<Entry> entries_;
  LargeArray<Age> oldest_;           // room for forget_oldest
  std::vector<std::uint32_t> free_;  // falling
  std::size_t size_ = 0;
  std::uint32_t clock_ = 0;  // steps that were seen, as far as it counts
};

template <class Admit, class Evict>
void IdMap::see(std::span<const std::uint64_t> ids, const Admit& admit, const Evict& evict) {
  if (clock_ < most) ++clock_;
  bool lacks_row = false;
  bool lacks_room = false;
  for (const std::uint64_t id : ids) {
    Entry& entry = entries_.data()[place_of(id)];
    if (entry.count == 0) {
      const bool waits = admission_ > 1;
      if (waits ? num_waiting() == most_waiting_ : free_.empty()) {
        (waits ? lacks_room : lacks_row) = true;
        continue;
      }
      entry.id = id;
      ++size_;
    }
    if (entry.count < most) ++entry.count;
    entry.step = clock_;
    if (entry.row != 0 || entry.count < admission_) continue;
    if (free_.empty()) {
      lacks_row = true;
      continue;
    }
    entry.row = free_.back();
    free_.pop_back();
    admit(static_cast<Index>(entry.row), id);
  }
  if (lacks_row) forget_oldest(true, evict);
  if (lacks_room) forget_oldest(false, evict);
}

// Of the ids with rows, or of those without, nine of ten stay.
template <class Evict>
void IdMap::forget_oldest(bool with_rows, const Evict& evict) {
  Age* const oldest = oldest_.data();
  std::size_t count = 0;
  for (const Entry& entry : entries_.span())
    if (entry.count > 0 && (entry.row != 0) == with_rows)
      oldest[count++] = {std::uint64_t{entry.step} << 32 | entry.count, entry.id};
  const std::size_t forgotten = count - count * 9 / 10;
  std::nth_element(oldest, oldest + forgotten, oldest + count);
  for (std::size_t i = 0; i < forgotten; ++i) {
    const std::size_t place = place_of(oldest[i].id);
    if (with_rows) {
      const std::uint32_t row = entries_.data()[place].row;
      free_.push_back(row);
      evict(static_cast<Index>(row));
    }
    erase(place);
  }
  if (with_rows) std::ranges::sort(free_, std::greater<>());
}

inline void IdMap::erase(std::size_t place) {
  Entry* const entries = entries_.data();
  const auto distance = [&](std::size_t from, std::size_t to) {
    return to >= from ? to - from : to + entries_.size() - from;
  };
  for (std::size_t next = after(place); entries[next].count > 0; next = after(next)) {
    // It may move up as far as its home.
    if (distance(home_of(entries[next].id), next) < distance(place, next)) continue;
    entries[place] = entries[next];
    place = next;
  }
  entries[place] = {};
  --size_;
}

inline IdMap IdMap::restored(
    Index rows, Index admission,
    const std::function<void(const std::function<void(const Record&)>&)>& records) {
  IdMap map(rows, admission);
  std::vector<bool> taken(map.rows_ + 1);
  std::size_t waiting = 0;
  const auto refuse = [](std::string_view got, std::string_view expected) {
    throw ConfigError("IdMap", "records", got, expected);
  };
  records([&](const Record& record) {
    if (record.row > map.rows_) refuse(text("row ", record.row), text("at most ", map.rows_));
    if (record.row > 0 && taken[record.row])
      refuse(text("row ", record.row, " twice"), "an id for a row");
    if (record.count == 0) refuse(text("id ", record.id, " seen 0 times"), "once or more");
    Entry* const entries = map.entries_.data();
    std::size_t place = map.home_of(record.id);
    for (std::size_t run = 0; entries[place].count > 0; place = map.after(place)) {
      if (entries[place].id == record.id) refuse(text("id ", record.id, " twice"), "each id once");
      if (++run > most_in_a_run) refuse("ids that fall on one place", "ids of a map");
    }
    Entry& entry = entries[place];
    if (record.row == 0 && waiting++ == map.most_waiting_)
      refuse(text(waiting, " ids without rows"), text("at most ", map.most_waiting_));
    taken[record.row] = true;
    entry = {record.id, record.row, record.count, record.age};
    map.clock_ = (std::max)(map.clock_, record.age);
    ++map.size_;
  });
  for (Entry& entry : map.entries_.span())
    if (entry.count > 0) entry.step = map.clock_ - entry.step;
  std::erase_if(map.free_, [&](std::uint32_t row) { return taken[row]; });
  return map;
}

}  // namespace plait
