// CounterRandom: random numbers by place instead of in order, so that they do not depend on who
// draws them when.
#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>

#include "plait/core/hash.hpp"
#include "plait/core/options.hpp"

namespace plait {

// A tree of streams: at(n) is the n-th below this one, and each has one number. A place that is
// reached by the same path from the same seed has the same number, on every compiler and thread:
//
//   CounterRandom(seed).at(step).at(row).uniform()
//
// Mixed by mix64. A value.
class CounterRandom {
 public:
  explicit CounterRandom(std::uint64_t seed = 0) : bits_(mix64(seed + golden)) {}

  CounterRandom at(std::uint64_t n) const {
    CounterRandom result;
    result.bits_ = mix64(bits_ + golden * (n + 1));
    return result;
  }
  std::uint64_t bits() const { return bits_; }
  // On [0, 1), a multiple of 2^-53.
  double uniform() const { return static_cast<double>(bits_ >> 11) * 0x1.0p-53; }
  // On (0, 1), an odd multiple of 2^-53.
  double open_uniform() const { return (static_cast<double>(bits_ >> 12) + 0.5) * 0x1.0p-52; }
  // Standard normal (Box and Muller 1958), by logarithm and cosine, whose last bits are a maths
  // library's.
  double normal() const {
    return std::sqrt(-2 * std::log(open_uniform())) *
           std::cos(2 * std::numbers::pi * at(0).uniform());
  }

 private:
  static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15u;

  std::uint64_t bits_;
};

// Of a step and layer, apart from the streams of all else that has the same seed.
inline CounterRandom stream_of(const Draws& draws) {
  constexpr std::uint64_t of_draws = 0x64726177;
  const CounterRandom stream = CounterRandom(draws.seed)
                                   .at(of_draws)
                                   .at(static_cast<std::uint64_t>(draws.step))
                                   .at(static_cast<std::uint64_t>(draws.layer));
  return draws.path == 0 ? stream : stream.at(draws.path);
}

}  // namespace plait
