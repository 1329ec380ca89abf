// RowEntries: the ids of a batch that look up one table, sorted by row.
//
// An entry is a number of 64 bits: above the row, below where in the batch's gradient its own is.
// Rows lie in 64 shards, row r in shard r mod 64, one after the other: a shard is what one thread
// sums and moves, and what one process owns where several share a table; hot rows, the first of a
// table ordered by frequency, are spread evenly. The sort is stable and by radix.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/id_map.hpp"

namespace plait {

class RowEntries {
 public:
  static constexpr Index num_shards = 64;

  // A feature that looks up the table, and the first of its columns in the network's input.
  struct Feature {
    Index index;
    Index column;
  };

  // Takes the ids of `batch` for a table of `rows` rows; of a growing one `ids` has their rows.
  // lane_ends [lanes] are the rows of the batch where each lane ends; `stride` is the distance of
  // two rows in the gradient of the input, and batch * stride at most largest_places. Allocates for
  // more ids than ever before.
  void collect(const SparseBatch& batch, std::span<const Feature> features, Index rows,
               std::span<const Index> lane_ends, Index stride, const IdMap* ids = nullptr) {
    low_bits_ =
        static_cast<int>(std::bit_width((static_cast<std::uint64_t>(rows) - 1) / num_shards));
    lane_ends_.clear();
    for (const Index end : lane_ends)
      lane_ends_.push_back(static_cast<std::uint64_t>(end) * static_cast<std::uint64_t>(stride));
    if (ids != nullptr)
      fill(batch, features, lane_ends, stride, [&](std::uint64_t id) { return ids->row(id); });
    else
      fill(batch, features, lane_ends, stride, [](std::uint64_t id) { return id; });
    sort();
  }
  static constexpr std::uint64_t largest_places = std::uint64_t{1} << 32;

  Index size() const { return std::ssize(entries_); }
  // The largest |weight|.
  double largest_weight() const { return largest_weight_; }
  // The first entry of a shard; that of num_shards is the end.
  Index shard_begin(Index shard) const { return shard_begin_[static_cast<std::size_t>(shard)]; }

  std::uint32_t key(Index i) const { return static_cast<std::uint32_t>(entry(i) >> 32); }
  Index row(std::uint32_t key) const {
    const std::uint64_t low = key & ((std::uint64_t{1} << low_bits_) - 1);
    return static_cast<Index>(low * num_shards + (key >> low_bits_));
  }
  // Where entry i's gradient begins, and what it is multiplied by.
  std::size_t place(Index i) const {
    const auto below = static_cast<std::uint32_t>(entry(i));
    return weights_.empty() ? below : places_[below];
  }
  float weight(Index i) const {
    return weights_.empty() ? 1 : weights_[static_cast<std::uint32_t>(entry(i))];
  }
  Index lane(Index i) const {
    const std::size_t at = place(i);
    Index lane = 0;
    while (lane + 1 < std::ssize(lane_ends_) && at >= lane_ends_[static_cast<std::size_t>(lane)])
      ++lane;
    return lane;
  }

 private:
  // Up to 2^11 counters find room in the nearest cache; few ids are not worth clearing that many.
  static constexpr int most_digit_bits = 11;
  static constexpr int few_digit_bits = 8;
  static constexpr std::size_t few = 4096;

  std::uint64_t entry(Index i) const { return entries_[static_cast<std::size_t>(i)]; }

  std::uint64_t key_of(std::uint64_t row) const {
    return (row % num_shards) << low_bits_ | row / num_shards;
  }

  template <class RowOf>
  void fill(const SparseBatch& batch, std::span<const Feature> features,
            std::span<const Index> lane_ends, Index stride, const RowOf& row_of) {
    entries_.clear();
    places_.clear();
    weights_.clear();
    largest_weight_ = 1;
    const bool weighted = std::ranges::any_of(features, [&](const Feature& feature) {
      return !batch.whole()[static_cast<std::size_t>(feature.index)].weights.empty();
    });
    Index begin_row = 0;
    for (const Index end_row : lane_ends) {
      for (const Feature& feature : features) {
        const SparseFeature bags = batch.feature(feature.index);
        for (Index b = begin_row; b < end_row; ++b) {
          const auto row = static_cast<std::size_t>(b);
          const std::size_t begin =
              bags.offsets.empty() ? row : static_cast<std::size_t>(bags.offsets[row]);
          const std::size_t end =
              bags.offsets.empty() ? row + 1 : static_cast<std::size_t>(bags.offsets[row + 1]);
          const auto place = static_cast<std::uint32_t>(b * stride + feature.column);
          for (std::size_t i = begin; i < end; ++i) {
            std::uint64_t below = place;
            if (weighted) {
              below = weights_.size();
              places_.push_back(place);
              weights_.push_back(bags.weights.empty() ? 1 : bags.weights[i]);
              largest_weight_ = (std::max)(largest_weight_, std::abs(weights_.back()));
            }
            entries_.push_back(key_of(row_of(bags.ids[i])) << 32 | below);
          }
        }
      }
      begin_row = end_row;
    }
  }

  void sort() {
    const int key_bits = low_bits_ + std::countr_zero(static_cast<std::uint64_t>(num_shards));
    const int most = entries_.size() < few ? few_digit_bits : most_digit_bits;
    const int passes = (key_bits + most - 1) / most;
    const int digit_bits = (key_bits + passes - 1) / passes;
    other_.resize(entries_.size());
    for (int pass = 0; pass < passes; ++pass) {
      const int shift = 32 + pass * digit_bits;
      const std::uint64_t mask = (std::uint64_t{1} << digit_bits) - 1;
      std::array<std::size_t, std::size_t{1} << most_digit_bits> next;
      std::fill_n(next.begin(), mask + 1, std::size_t{0});
      for (const std::uint64_t entry : entries_) ++next[(entry >> shift) & mask];
      std::size_t begin = 0;
      for (std::size_t digit = 0; digit <= mask; ++digit) {
        const std::size_t count = next[digit];
        next[digit] = begin;
        begin += count;
      }
      for (const std::uint64_t entry : entries_) other_[next[(entry >> shift) & mask]++] = entry;
      entries_.swap(other_);
    }
    for (Index shard = 0; shard <= num_shards; ++shard) {
      const std::uint64_t first = static_cast<std::uint64_t>(shard) << low_bits_;
      shard_begin_[static_cast<std::size_t>(shard)] =
          std::ranges::partition_point(entries_,
                                       [&](std::uint64_t entry) { return entry >> 32 < first; }) -
          entries_.begin();
    }
  }

  int low_bits_ = 0;  // of a key, below its shard
  std::vector<std::uint64_t> entries_;
  std::vector<std::uint64_t> other_;
  std::vector<std::uint32_t> places_;  // of weighted features: entries count in these two
  std::vector<float> weights_;
  float largest_weight_ = 1;
  std::vector<std::uint64_t> lane_ends_;  // as places
  std::array<Index, std::size_t{num_shards} + 1> shard_begin_{};
};

}  // namespace plait
