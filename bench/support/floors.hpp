// The floors of one core: how fast it multiplies and adds without touching memory, and how fast it
// reads a buffer. No program computes faster than the first or reads faster than the second, so a
// figure given as their share means the same on every machine.
#pragma once
#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <algorithm>
#include <chrono>
#include <cstddef>

#include "plait/core/buffer.hpp"
#include "plait/core/config.hpp"

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

namespace detail {

template <class Scalar>
using Packet = typename Eigen::internal::packet_traits<Scalar>::type;
template <class Scalar>
inline constexpr Index lanes = Eigen::internal::packet_traits<Scalar>::size;

// Two units with a latency of four or five cycles keep ten sums in flight; fourteen and two factors
// are all the registers that SSE and AVX have.
inline constexpr Index peak_sums = 12;

template <class Scalar>
Scalar multiply_add(Index steps, Scalar factor, Scalar term) {
  const Packet<Scalar> a = Eigen::internal::pset1<Packet<Scalar>>(factor);
  const Packet<Scalar> c = Eigen::internal::pset1<Packet<Scalar>>(term);
  Packet<Scalar> sums[peak_sums];
  for (Index i = 0; i < peak_sums; ++i)  // from different numbers, or the compiler keeps one
    sums[i] = Eigen::internal::pset1<Packet<Scalar>>(term + static_cast<Scalar>(i));
  for (Index step = 0; step < steps; ++step)
    for (auto& sum : sums) {
#ifdef EIGEN_HAS_SINGLE_INSTRUCTION_MADD
      sum = Eigen::internal::pmadd(a, c, sum);
#else  // a product that is the same in every step would be taken out of the loop
      sum = Eigen::internal::pmadd(sum, a, c);
#endif
    }
  for (Index i = 1; i < peak_sums; ++i) sums[0] = Eigen::internal::padd(sums[0], sums[i]);
  return Eigen::internal::predux(sums[0]);
}

inline constexpr Index read_sums = 8;
inline constexpr Index read_block = lanes<float> * read_sums;

// The sum of `size` numbers, a multiple of read_block.
inline float read(const float* numbers, Index size) {
  Packet<float> sums[read_sums];
  for (auto& sum : sums) sum = Eigen::internal::pset1<Packet<float>>(0.0f);
  for (Index i = 0; i < size; i += read_block)
    for (Index k = 0; k < read_sums; ++k)
      sums[k] = Eigen::internal::padd(
          sums[k], Eigen::internal::pload<Packet<float>>(numbers + i + k * lanes<float>));
  for (Index i = 1; i < read_sums; ++i) sums[0] = Eigen::internal::padd(sums[0], sums[i]);
  return Eigen::internal::predux(sums[0]);
}

}  // namespace detail

// Floating-point operations per second, a multiply-add being two, in the vectors that this program
// is compiled for. Takes a tenth of a millisecond.
template <class Scalar>
double measure_peak() {
  constexpr Index steps = 8000;
  Scalar factor = Scalar(0.5);
  Scalar term = Scalar(1);
  benchmark::DoNotOptimize(factor);
  benchmark::DoNotOptimize(term);
  const double seconds = fastest(
      8, [&] { benchmark::DoNotOptimize(detail::multiply_add<Scalar>(steps, factor, term)); });
  return 2.0 * static_cast<double>(steps * detail::lanes<Scalar> * detail::peak_sums) / seconds;
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
