// TextTable: different texts, numbered from 0 in the order in which they came. What a vocabulary is
// looked up in, and what values are counted by.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/hash.hpp"

namespace plait {

// The texts are one block of bytes and an offset for each, as files store them; beside it, slots of
// 8 bytes at most half of which are taken. 8 bytes a text, 16 to 32 for its slot, and the text.
// A value; its const members are safe to call from any number of threads.
class TextTable {
 public:
  static constexpr Index none = -1;

  TextTable() : slots_(smallest) {}
  // Of texts one after the other, text i at [offsets[i], offsets[i + 1]). Throws ValueError unless
  // the offsets go from 0 to the end without stepping back and all texts differ, as their hashes
  // do: of a file that was made for them not to, each text would be compared with all before it.
  PLAIT_COLD TextTable(std::string_view bytes, std::span<const std::int64_t> offsets)
      : TextTable() {
    const auto require = [](bool condition, const char* got, const char* expected) {
      if (!condition) throw ValueError("TextTable", "offsets", got, expected);
    };
    require(
        !offsets.empty() && offsets.front() == 0 && std::cmp_equal(offsets.back(), bytes.size()),
        "others", "from 0 to the bytes");
    require(std::ranges::is_sorted(offsets), "one below that before it", "ascending ones");
    bytes_.reserve(bytes.size());
    offsets_.reserve(offsets.size());
    slots_.resize(std::bit_ceil((std::max)(smallest, 2 * offsets.size())));
    std::size_t steps = 4096 + 64 * offsets.size();  // some two of a text are usual
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
      const auto begin = static_cast<std::size_t>(offsets[i]);
      const auto end = static_cast<std::size_t>(offsets[i + 1]);
      const std::string_view text = bytes.substr(begin, end - begin);
      const std::uint32_t hash = hash_of(text);
      const std::size_t at = place(text, hash);
      if (slots_[at].number != 0)
        throw ValueError("TextTable", "texts", in_quotes(text) + " twice", "different ones");
      const std::size_t taken = (at - hash) & mask();
      if (taken > steps)
        throw ValueError("TextTable", "texts", "many whose hashes are alike", "ones as they come");
      steps -= taken;
      insert_at(at, text, hash);
    }
  }

  Index size() const { return std::ssize(offsets_) - 1; }
  std::string_view operator[](Index i) const {
    const auto begin = static_cast<std::size_t>(offsets_[static_cast<std::size_t>(i)]);
    const auto end = static_cast<std::size_t>(offsets_[static_cast<std::size_t>(i) + 1]);
    return std::string_view(bytes_).substr(begin, end - begin);
  }
  // All texts, and the offsets [size() + 1] that part them.
  std::string_view bytes() const { return bytes_; }
  std::span<const std::int64_t> offsets() const { return offsets_; }

  // The text's number, or none.
  Index find(std::string_view text) const { return find(text, begin_find(text)); }
  // The same in two steps, for several at a time: the first asks for the memory that the second
  // reads, and returns the text's hash.
  std::uint32_t begin_find(std::string_view text) const {
    const std::uint32_t hash = hash_of(text);
    __builtin_prefetch(&slots_[hash & mask()]);
    return hash;
  }
  Index find(std::string_view text, std::uint32_t hash) const {
    return number_at(place(text, hash));
  }
  // The text's number, which is size() as it was if the text is new. Throws ValueError at 2^32 - 1
  // texts.
  Index insert(std::string_view text) {
    const std::uint32_t hash = hash_of(text);
    const std::size_t at = place(text, hash);
    return slots_[at].number != 0 ? number_at(at) : insert_at(at, text, hash);
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;    // the lower half, whose last bits say where the search begins
    std::uint32_t number = 0;  // the text's, from 1; 0: free
  };
  static constexpr std::size_t smallest = 16;

  // Of a new text, whose search ended at the free slot `at`.
  Index insert_at(std::size_t at, std::string_view text, std::uint32_t hash) {
    const std::size_t count = offsets_.size();  // with the new one
    if (count >= (std::numeric_limits<std::uint32_t>::max)())
      throw ValueError("TextTable", "texts", "2^32 or more", "fewer");
    bytes_ += text;
    offsets_.push_back(static_cast<std::int64_t>(bytes_.size()));
    if (2 * count > slots_.size()) {
      grow();
      at = free_place(hash);
    }
    slots_[at] = {hash, static_cast<std::uint32_t>(count)};
    return static_cast<Index>(count) - 1;
  }

  static std::uint32_t hash_of(std::string_view text) {
    return static_cast<std::uint32_t>(xxh64(text));
  }
  Index number_at(std::size_t slot) const { return static_cast<Index>(slots_[slot].number) - 1; }
  std::size_t mask() const { return slots_.size() - 1; }
  // Of the text, or the free slot that ends the search for it.
  std::size_t place(std::string_view text, std::uint32_t hash) const {
    std::size_t at = hash & mask();
    for (; slots_[at].number != 0; at = (at + 1) & mask())
      if (slots_[at].hash == hash && (*this)[number_at(at)] == text) break;
    return at;
  }
  std::size_t free_place(std::uint32_t hash) const {
    std::size_t at = hash & mask();
    while (slots_[at].number != 0) at = (at + 1) & mask();
    return at;
  }
  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    std::swap(old, slots_);
    for (const Slot& slot : old)
      if (slot.number != 0) slots_[free_place(slot.hash)] = slot;
  }

  std::string bytes_;
  std::vector<std::int64_t> offsets_{0};
  std::vector<Slot> slots_;  // a power of two
};

}  // namespace plait
