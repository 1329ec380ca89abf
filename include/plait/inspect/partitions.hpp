// Partitions: all ways to put a few things into groups. Group numbers count from 0 in the order in
// which things name them, so that every partition is there once. There are 4 of 3 things, 203 of 6,
// 115,975 of 10.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/function_ref.hpp"

namespace plait {

// The largest count of things that is gone through.
inline constexpr Index most_partitioned = 10;

using Partition = std::vector<Index>;  // of every thing its group

// Groups of a partition.
inline Index num_groups(const Partition& partition) {
  return partition.empty() ? 0 : 1 + *std::max_element(partition.begin(), partition.end());
}

// Calls take with every partition of `count` things into at most `most` groups.
inline void for_each_partition(Index count, Index most, FunctionRef<void(const Partition&)> take) {
  Partition partition(static_cast<std::size_t>(count));
  if (count == 0 || most < 1) return;
  // named[i]: groups that things 0 ... i - 1 have named.
  std::vector<Index> named(static_cast<std::size_t>(count) + 1, 1);
  while (true) {
    take(partition);
    std::size_t i = partition.size() - 1;
    while (i > 0 && (partition[i] >= named[i] || partition[i] + 1 >= most)) --i;
    if (i == 0) return;
    ++partition[i];
    named[i + 1] = (std::max)(named[i], partition[i] + 1);
    for (std::size_t j = i + 1; j < partition.size(); ++j) {
      partition[j] = 0;
      named[j + 1] = named[j];
    }
  }
}

}  // namespace plait
