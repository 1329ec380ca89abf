// Random: the library's own generator and transforms, equal bit for bit on every compiler, standard
// library and instruction set. std::normal_distribution and friends differ between standard
// libraries, and anything built on log or cos differs between maths libraries and under contraction
// to FMA; everything here is integer arithmetic, comparisons and single roundings.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"

namespace plait {

// xoshiro256** 1.0 (Blackman and Vigna 2018), seeded through splitmix64. A value: a copy continues
// the same stream independently. Not thread-safe.
class Random {
 public:
  using State = std::array<std::uint64_t, 4>;

  explicit Random(std::uint64_t seed = 0) {
    for (auto& word : state_) {
      seed += 0x9e3779b97f4a7c15u;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      word = z ^ (z >> 31);
    }
  }
  // Continues a saved stream. Throws ValueError for a state of zeros alone: what follows it are
  // zeros, from which below() would draw for ever.
  explicit Random(const State& state) : state_(state) {
    if (state == State{})
      throw ValueError("Random", "state", "zeros alone", "a state that a generator had");
  }
  const State& state() const { return state_; }

  std::uint64_t bits() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Uniform on [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }

  // Uniform on [-bound, bound).
  double symmetric(double bound) { return (2.0 * uniform() - 1.0) * bound; }

  // Uniform on {0, ..., count - 1}, without bias: values beyond the last whole multiple are
  // redrawn.
  Index below(Index count) {
    PLAIT_ASSERT(count > 0);
    const auto n = static_cast<std::uint64_t>(count);
    const std::uint64_t threshold = (0 - n) % n;
    std::uint64_t r = bits();
    while (r < threshold) r = bits();
    return static_cast<Index>(r % n);
  }

  // Standard normal, exact up to the rounding of the result: algorithm N of Karney, "Sampling
  // exactly from the normal distribution", ACM TOMS 42 (2016), which only compares uniform
  // deviates.
  double normal() {
    for (;;) {
      int k = 0;
      while (exp_minus_half()) ++k;
      bool accept = true;
      for (int i = 0; i < k * (k - 1) && accept; ++i) accept = exp_minus_half();
      if (!accept) continue;
      const double x = uniform();
      for (int i = 0; i <= k && accept; ++i) accept = exp_step(k, x);
      if (!accept) continue;
      const double magnitude = k + x;
      return (bits() >> 63) != 0 ? -magnitude : magnitude;
    }
  }

  // A uniformly random order of a range (Fisher-Yates).
  template <class Range>
  void shuffle(Range& range) {
    for (auto i = static_cast<Index>(range.size()) - 1; i > 0; --i) {
      using std::swap;
      swap(range[static_cast<decltype(range.size())>(i)],
           range[static_cast<decltype(range.size())>(below(i + 1))]);
    }
  }

 private:
  // True with probability exp(-1/2): von Neumann's run 1/2 > u1 > u2 > ... has even length.
  bool exp_minus_half() {
    bool even = true;
    double last = 0.5;
    for (double u = uniform(); u < last; u = uniform()) {
      last = u;
      even = !even;
    }
    return even;
  }

  // True with probability exp(-x (2k + x) / (2k + 2)): Karney's algorithm B.
  bool exp_step(int k, double x) {
    const double scale = 2.0 * k + 2.0;
    const double limit = 2.0 * k + x;
    bool even = true;
    double last = x;
    for (double z = uniform(); z < last; z = uniform()) {
      const double scaled = uniform() * scale;
      if (!(scaled < limit)) break;
      last = z;
      even = !even;
    }
    return even;
  }

  State state_{};
};

}  // namespace plait
