// The instruction sets that kernels are compiled for, and which of them runs.
//
// One program holds every kernel once per set, and the first that runs asks the processor: a build
// without flags runs on any machine of its architecture, and as fast as one for that very machine.
// Sets below what the compiler's flags promise are not compiled. On x86-64 there are
//
//   baseline     what the flags promise: SSE2, 16 registers of 128 bits
//   avx2         AVX2 and FMA: 16 registers of 256 bits (from Haswell and Zen on)
//   avx512       AVX-512 F, VL, BW and DQ: 32 registers of 512 bits (from Skylake-X and Zen 4 on)
//   avx512_bf16  the same and products of bf16 as fast as those of floats (AMD's, from Zen 4 on;
//                Intel's have the instruction at a quarter of that speed, and are avx512)
//
// and elsewhere the baseline alone: NEON on 64-bit ARM, the compiler's vectors of 128 bits on
// others.
//
// A row's numbers depend on the set in their last bits, as those of two builds do: sums over a row
// have as many parts as a register has numbers, and the baseline of x86-64 rounds a product before
// it adds it.
//
// Define PLAIT_ONE_INSTRUCTION_SET before the first include to compile the kernels for what the
// flags promise alone: in all units of a program, or in none. Units of other sets than
// plait::compiled has do not link with it.
#pragma once
#include <atomic>
#include <cstdint>
#include <string_view>

#include "plait/core/config.hpp"

#if defined(__x86_64__)
#if defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512BW__) && \
    defined(__AVX512DQ__) && defined(__FMA__)
#define PLAIT_LEAST_SET 2
#elif defined(__AVX2__) && defined(__FMA__)
#define PLAIT_LEAST_SET 1
#else
#define PLAIT_LEAST_SET 0
#endif
#if defined(PLAIT_ONE_INSTRUCTION_SET) && !(PLAIT_LEAST_SET == 2 && defined(__AVX512BF16__))
#define PLAIT_MOST_SET PLAIT_LEAST_SET
#else
#define PLAIT_MOST_SET 3
#endif
#else
#define PLAIT_LEAST_SET 0
#define PLAIT_MOST_SET 0
#endif

namespace plait {

enum class InstructionSet : std::uint8_t { baseline = 0, avx2 = 1, avx512 = 2, avx512_bf16 = 3 };

// The sets that this program's kernels are compiled for: all from the first to the second.
inline constexpr auto least_instruction_set = static_cast<InstructionSet>(PLAIT_LEAST_SET);
inline constexpr auto most_instruction_set = static_cast<InstructionSet>(PLAIT_MOST_SET);

// "AVX-512 BF16", "AVX-512", "AVX2", and of the baseline what it is here: "SSE2", "NEON" or "128
// bits".
constexpr std::string_view name(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512_bf16:
      return "AVX-512 BF16";
    case InstructionSet::avx512:
      return "AVX-512";
    case InstructionSet::avx2:
      return "AVX2";
    case InstructionSet::baseline:
      break;
  }
#if defined(__x86_64__)
  return "SSE2";
#elif defined(__ARM_NEON)
  return "NEON";
#else
  return "128 bits";
#endif
}

namespace detail {

#ifdef PLAIT_COMPILED
// A weight is packed for a set: what knows other sets would take it for another layout.
#define PLAIT_JOIN_SETS(least, most) compiled_for_sets_##least##_to_##most
#define PLAIT_NAME_SETS(least, most) PLAIT_JOIN_SETS(least, most)
#define PLAIT_COMPILED_FOR_SETS PLAIT_NAME_SETS(PLAIT_LEAST_SET, PLAIT_MOST_SET)
extern const char PLAIT_COMPILED_FOR_SETS;
[[gnu::used]] static const char* const needs_sets = &PLAIT_COMPILED_FOR_SETS;
#endif

// The largest set that is compiled and that the processor and its system have.
PLAIT_COLD inline InstructionSet supported_instruction_set() {
#if PLAIT_LEAST_SET < PLAIT_MOST_SET
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("fma"))
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_is("amd")
               ? InstructionSet::avx512_bf16
               : InstructionSet::avx512;
  if (PLAIT_LEAST_SET < 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return InstructionSet::avx2;
#endif
  return least_instruction_set;
}

// What runs; negative: nobody has asked the processor yet.
inline std::atomic<int> running_set = -1;

PLAIT_COLD inline InstructionSet choose_instruction_set() {
  const InstructionSet set = supported_instruction_set();
  int unchosen = -1;
  running_set.compare_exchange_strong(unchosen, static_cast<int>(set), std::memory_order_relaxed);
  return static_cast<InstructionSet>(running_set.load(std::memory_order_relaxed));
}

}  // namespace detail

// The set that runs: the largest that the processor has and that limit_instruction_set leaves.
inline InstructionSet instruction_set() {
  if constexpr (least_instruction_set == most_instruction_set) {
    return least_instruction_set;
  } else {
    const int set = detail::running_set.load(std::memory_order_relaxed);
    return set >= 0 ? static_cast<InstructionSet>(set) : detail::choose_instruction_set();
  }
}

// From now on at most this set runs, to compare sets with each other and to test what a smaller
// machine does; the least that is compiled where it is below that. Returns what runs now. Weights
// that are packed already are used with the set that they are packed for. May be called at any
// time; calls of kernels that are under way in other threads end with the set that they began with.
PLAIT_COLD inline InstructionSet limit_instruction_set(InstructionSet most) {
  const InstructionSet supported = detail::supported_instruction_set();
  const InstructionSet set = most < least_instruction_set ? least_instruction_set
                             : most < supported           ? most
                                                          : supported;
  detail::running_set.store(static_cast<int>(set), std::memory_order_relaxed);
  return set;
}

}  // namespace plait
