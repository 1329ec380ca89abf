// Tiles: how a batch is cut into the row tiles that run through a network one at a time.
//
// A loss that compares the rows of a group needs them in one tile: its gradient is a function of
// all their logits, and a group that were cut in two would silently be trained as two. So with
// groups a tile ends where a group ends. The alternative, to score the whole batch first and
// evaluate such losses on all of it, would cost a second forward pass and memory for the batch, for
// the same numbers.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/losses/targets.hpp"

namespace plait {

// Row ranges that cover a batch in order. Without groups it takes no memory; with them, reused for
// batch after batch, it allocates only for a larger batch than any before.
class Tiles {
 public:
  // Tiles of `rows` rows, the last one maybe fewer.
  void cut(Index batch, Index rows) {
    PLAIT_ASSERT(rows >= 1);
    bounds_.clear();
    batch_ = batch;
    rows_ = rows;
  }

  // Tiles of whole groups, as many as `rows` rows hold, but at least one: a larger group is a tile
  // of its own, which then takes memory for its rows.
  void cut(std::span<const std::int64_t> groups, Index rows) {
    PLAIT_ASSERT(rows >= 1);
    bounds_.assign(1, 0);
    // Two neighbouring tiles hold more than `rows` rows, or the second's first group would have
    // been in the first.
    bounds_.reserve(static_cast<std::size_t>(2 * std::ssize(groups) / rows + 2));
    Index end = 0;  // of the groups so far
    for_each_group(groups, [&](Index first, Index count) {
      if (first > bounds_.back() && first + count > bounds_.back() + rows) bounds_.push_back(first);
      end = first + count;
    });
    if (end > 0) bounds_.push_back(end);
  }

  Index count() const {
    return bounds_.empty() ? (batch_ + rows_ - 1) / rows_ : std::ssize(bounds_) - 1;
  }
  // First row of a tile, and their number.
  Index first(Index tile) const {
    return bounds_.empty() ? tile * rows_ : bounds_[static_cast<std::size_t>(tile)];
  }
  Index rows(Index tile) const {
    return bounds_.empty() ? (std::min)(rows_, batch_ - first(tile))
                           : first(tile + 1) - first(tile);
  }

 private:
  Index batch_ = 0;  // tiles of equal size
  Index rows_ = 1;
  std::vector<Index> bounds_;  // tiles of groups: their first rows and the end; empty without
};

}  // namespace plait
