// CounterRandom: random numbers by place instead of in order, so that they do not depend on who
// draws them when.
#pragma once
#include <cstdint>

namespace plait {

// A tree of streams: at(n) is the n-th below this one, and each has one number. A place that is
// reached by the same path from the same seed has the same number, on every compiler and thread:
//
//   CounterRandom(seed).at(step).at(row).uniform()
//
// The mixing function is that of splitmix64 (Steele, Lea and Flood, OOPSLA 2014). A value.
class CounterRandom {
 public:
  explicit CounterRandom(std::uint64_t seed = 0) : bits_(mix(seed + golden)) {}

  CounterRandom at(std::uint64_t n) const {
    CounterRandom result;
    result.bits_ = mix(bits_ + golden * (n + 1));
    return result;
  }
  std::uint64_t bits() const { return bits_; }
  // On [0, 1), a multiple of 2^-53.
  double uniform() const { return static_cast<double>(bits_ >> 11) * 0x1.0p-53; }

 private:
  static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15u;
  static constexpr std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  std::uint64_t bits_;
};

}  // namespace plait
