// The index type and the macros of the library.
#pragma once
#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>

#if defined(_MSC_VER) && !defined(__clang__)
#error "plait needs GCC or Clang, on Windows MinGW-w64: it uses their attributes"
#endif

// Checks inside layers and kernels, where the public entry has already checked its arguments.
// Define it before the first include to route failures elsewhere; off with NDEBUG like assert.
#ifndef PLAIT_ASSERT
#define PLAIT_ASSERT(condition) assert(condition)
#endif

// For the bodies of packet loops, given as lambdas: sums that they capture must stay in registers,
// which they do only where the compiler inlines, and it does not always see why it should.
#define PLAIT_INLINE __attribute__((always_inline))
// For inner loops that need all registers: inlined into more code, some would live in memory.
#define PLAIT_NOINLINE __attribute__((noinline))
// For what runs once or never, checks, texts of errors, construction: compiled for size, which
// takes less time, and away from what is hot.
#define PLAIT_COLD __attribute__((cold))

// AVX-512 intrinsics pass on an undefined register where its value does not matter, and GCC 12
// warns of it in every function that they are inlined into, Eigen's too (bug 105593). Between BEGIN
// and END there is no such warning.
#if defined(__GNUC__) && __GNUC__ == 12 && !defined(__clang__) && defined(__AVX512F__)
#define PLAIT_INTRINSICS_BEGIN                                                         \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wuninitialized\"") \
      _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"")
#define PLAIT_INTRINSICS_END _Pragma("GCC diagnostic pop")
#else
#define PLAIT_INTRINSICS_BEGIN
#define PLAIT_INTRINSICS_END
#endif

namespace plait {

// Every size, stride and position. Signed, so that differences are safe.
using Index = std::ptrdiff_t;

// No count of steps or evaluations is larger: 2^53, as all whole numbers up to it are doubles, or
// what an Index of 32 bits holds.
inline constexpr Index largest_count =
    static_cast<Index>((std::min)(std::int64_t{1} << 53, std::int64_t{PTRDIFF_MAX}));

// Alignment in bytes of every buffer the library owns: one cache line, one AVX-512 register.
inline constexpr std::size_t buffer_alignment = 64;

}  // namespace plait
