// The floors of one core: how fast it multiplies and adds without touching memory, and how fast it
// reads a buffer. No program computes faster than the first or reads faster than the second, so a
// figure given as their share means the same on every machine.
#pragma once
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "plait/core/buffer.hpp"
#include "plait/core/config.hpp"
#include "plait/core/instruction_set.hpp"
#include "plait/kernels/bf16.hpp"
#include "plait/kernels/packet.hpp"

namespace bench {

using plait::Index;

inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds of the fastest of several runs of f: what an interruption slows down is discarded.
template <class F>
double fastest(int runs, const F& f) {
  double best = 1e30;
  for (int i = 0; i < runs; ++i) {
    const double start = seconds_now();
    f();
    best = std::min(best, seconds_now() - start);
  }
  return best;
}

}  // namespace bench

#define PLAIT_EACH_SET "support/floors.inl"
#include "plait/kernels/each_set.hpp"

namespace bench {

namespace detail {

using plait::InstructionSet;  // of PLAIT_RUN

inline constexpr Index read_block = 128;

template <class Scalar>
Scalar multiply_add(Index steps, Scalar factor, Scalar term) {
  PLAIT_RUN(plait::instruction_set(), multiply_add<Scalar>(steps, factor, term));
}
template <class Scalar>
Index multiply_adds() {
  PLAIT_RUN(plait::instruction_set(), multiply_adds<Scalar>());
}
inline float multiply_add_pairs(Index steps, float factor, float term) {
  PLAIT_RUN(plait::instruction_set(), multiply_add_pairs(steps, factor, term));
}
inline float read(const float* numbers, Index size) {
  PLAIT_RUN(plait::instruction_set(), read(numbers, size));
}

}  // namespace detail

// Floating-point operations per second, a multiply-add being two, in the instruction set that runs.
// Takes a tenth of a millisecond.
template <class Scalar>
double measure_peak() {
  constexpr Index steps = 8000;
  Scalar factor = Scalar(0.5);
  Scalar term = Scalar(1);
  benchmark::DoNotOptimize(factor);
  benchmark::DoNotOptimize(term);
  const double seconds = fastest(
      8, [&] { benchmark::DoNotOptimize(detail::multiply_add<Scalar>(steps, factor, term)); });
  return 2.0 * static_cast<double>(steps * detail::multiply_adds<Scalar>()) / seconds;
}

// The same for products of bf16, where the processor has them; those of floats elsewhere.
inline double measure_bf16_peak() {
  if (plait::kernels::bf16_format(plait::instruction_set()) != plait::PackedFormat::pairs)
    return measure_peak<float>();
  constexpr Index steps = 8000;
  float factor = 0.5f;
  float term = 1;
  benchmark::DoNotOptimize(factor);
  benchmark::DoNotOptimize(term);
  const double seconds = fastest(
      8, [&] { benchmark::DoNotOptimize(detail::multiply_add_pairs(steps, factor, term)); });
  return 4.0 * static_cast<double>(steps * detail::multiply_adds<float>()) / seconds;
}

// A buffer that is read from its first byte to its last.
class ReadFloor {
 public:
  explicit ReadFloor(double bytes) : numbers_(rounded(bytes), 1.0f) {}

  // Bytes per second of the fastest of several passes, the first of which may bring the buffer into
  // a cache that holds it.
  double measure() const {
    const auto size = static_cast<Index>(numbers_.size());
    const double seconds =
        fastest(4, [&] { benchmark::DoNotOptimize(detail::read(numbers_.data(), size)); });
    return static_cast<double>(numbers_.size() * sizeof(float)) / seconds;
  }

 private:
  static std::size_t rounded(double bytes) {
    const auto blocks = static_cast<Index>(bytes / sizeof(float)) / detail::read_block;
    return static_cast<std::size_t>(std::max(blocks, Index{1}) * detail::read_block);
  }

  plait::AlignedVector<float> numbers_;
};

}  // namespace bench
