// Checksum: 64 bits over a stream of bytes, to detect torn and corrupt files. Not cryptographic.
//
// Words of 8 bytes go to 8 independent lanes, each stepped by xor, multiplication by an odd number
// and rotation. Every step is a bijection of the lane, and so is the final fold, so that a change
// within one word always changes the result; any other change is missed with probability 2^-64.
// Not a library's: zlib's crc32 runs at about 1 GB/s and would take longer than reading the file;
// eight multiplications in flight keep up with memory.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace plait {

class Checksum {
 public:
  void update(std::span<const std::byte> bytes) {
    total_ += bytes.size();
    if (pending_ > 0) {
      const std::size_t count = (std::min)(block_bytes - pending_, bytes.size());
      std::copy_n(bytes.data(), count, block_.data() + pending_);
      pending_ += count;
      bytes = bytes.subspan(count);
      if (pending_ < block_bytes) return;
      step(lanes_, block_.data());
    }
    Lanes lanes = lanes_;
    for (; bytes.size() >= block_bytes; bytes = bytes.subspan(block_bytes))
      step(lanes, bytes.data());
    lanes_ = lanes;
    std::copy(bytes.begin(), bytes.end(), block_.begin());
    pending_ = bytes.size();
  }

  // Of all bytes so far; more may follow.
  std::uint64_t value() const {
    Lanes lanes = lanes_;
    Block last{};
    std::copy_n(block_.begin(), pending_, last.begin());
    step(lanes, last.data());
    std::uint64_t result = total_;
    for (const std::uint64_t lane : lanes) {
      result = (result ^ lane) * multiplier;
      result ^= result >> 32;
    }
    return result;
  }

 private:
  static constexpr std::size_t block_bytes = 64;
  static constexpr std::uint64_t multiplier = 0x9e3779b97f4a7c15u;  // 2^64 / golden ratio, odd
  using Lanes = std::array<std::uint64_t, 8>;
  using Block = std::array<std::byte, block_bytes>;

  static void step(Lanes& lanes, const std::byte* block) {
    Lanes words;
    std::memcpy(words.data(), block, block_bytes);
    for (std::size_t i = 0; i < lanes.size(); ++i)
      lanes[i] = std::rotl((lanes[i] ^ words[i]) * multiplier, 29);
  }

  Lanes lanes_{1, 2, 3, 4, 5, 6, 7, 8};
  Block block_{};
  std::size_t pending_ = 0;
  std::uint64_t total_ = 0;
};

// 16 hexadecimal digits.
inline std::string hex(std::uint64_t value) {
  std::string result(16, '0');
  for (auto digit = result.rbegin(); digit != result.rend(); ++digit, value >>= 4)
    *digit = "0123456789abcdef"[value & 15];
  return result;
}

}  // namespace plait
