// RowMarks: which rows of a table have moved, a bit for each: 125 KB for a million.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/sparse/row_entries.hpp"

namespace plait {

// The bits of a shard (row_entries.hpp) are in words of its own, so that threads that move
// different shards may mark at the same time.
class RowMarks {
 public:
  RowMarks() = default;
  explicit RowMarks(Index rows)
      : words_per_shard_(static_cast<std::size_t>(
            (static_cast<std::uint64_t>(rows) - 1) / (num_shards * 64) + 1)),
        words_(words_per_shard_ * std::size_t{num_shards}) {}

  std::uint64_t* of_shard(Index shard) {
    return words_.data() + static_cast<std::size_t>(shard) * words_per_shard_;
  }
  static void mark(std::uint64_t* of_shard, Index row) {
    const auto bit = static_cast<std::uint64_t>(row) / num_shards;
    of_shard[bit / 64] |= std::uint64_t{1} << bit % 64;
  }

  std::uint64_t count() const {
    std::uint64_t count = 0;
    for (const std::uint64_t word : words_) count += static_cast<unsigned>(std::popcount(word));
    return count;
  }
  // f(row) for every marked row, rising.
  template <class F>
  void for_each(const F& f) const {
    for (std::size_t word = 0; word < words_per_shard_; ++word) {
      std::uint64_t any = 0;
      for (std::size_t at = word; at < words_.size(); at += words_per_shard_) any |= words_[at];
      for (; any != 0; any &= any - 1) {
        const auto bit = static_cast<std::uint64_t>(std::countr_zero(any));
        for (std::size_t shard = 0; shard < std::size_t{num_shards}; ++shard)
          if ((words_[shard * words_per_shard_ + word] >> bit & 1) != 0)
            f(static_cast<Index>((word * 64 + bit) * num_shards + shard));
      }
    }
  }

 private:
  static constexpr std::uint64_t num_shards{RowEntries::num_shards};

  std::size_t words_per_shard_ = 0;
  std::vector<std::uint64_t> words_;  // [shards, words]
};

}  // namespace plait
