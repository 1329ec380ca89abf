// Compiles a file for every instruction set of core/instruction_set.hpp:
//
//   #define PLAIT_EACH_SET "plait/kernels/each_set/softmax.inl"
//   #include "plait/kernels/each_set.hpp"
//
// The file is read once per set, with these macros:
//
//   PLAIT_SET            the set's name; what the file defines is in a namespace of this name
//   PLAIT_SET_BYTES      the bytes of its registers, 16, 32 or 64
//   PLAIT_SET_REGISTERS  and their number
//
// All that it defines, templates too, is compiled for the set, wherever it is instantiated; mark
// lambdas PLAIT_INLINE, as compilers do not always count them in. What it uses of others is not: a
// function of the standard library or of Eigen is compiled as the flags have it, so that the one
// copy of it that the linker keeps for the whole program runs on every machine. For that reason the
// file includes nothing.
//
// AVX-512 with BF16 is not a set of its own here: kernels for it are in the file of AVX-512.
//
// With PLAIT_COMPILED a header may list templates that it chooses a set in, each behind
// PLAIT_KERNEL: they are compiled in src/kernels.cpp, and nowhere else.
//
// PLAIT_RUN(set, call) returns what `call`, a function of the file with its arguments, returns for
// the given set.
#include "plait/core/instruction_set.hpp"
#if defined(__x86_64__) || defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#ifndef PLAIT_RUN
#if PLAIT_LEAST_SET >= 2
#define PLAIT_RUN(set, ...) return avx512::__VA_ARGS__
#elif PLAIT_MOST_SET == 0
#define PLAIT_RUN(set, ...) return baseline::__VA_ARGS__
#elif PLAIT_LEAST_SET == 1 && PLAIT_MOST_SET == 1
#define PLAIT_RUN(set, ...) return avx2::__VA_ARGS__
#elif PLAIT_LEAST_SET == 1
#define PLAIT_RUN(set, ...)                                          \
  do {                                                               \
    if ((set) >= InstructionSet::avx512) return avx512::__VA_ARGS__; \
    return avx2::__VA_ARGS__;                                        \
  } while (false)
#else
#define PLAIT_RUN(set, ...)                                              \
  do {                                                                   \
    const InstructionSet plait_set = set;                                \
    if (plait_set >= InstructionSet::avx512) return avx512::__VA_ARGS__; \
    if (plait_set == InstructionSet::avx2) return avx2::__VA_ARGS__;     \
    return baseline::__VA_ARGS__;                                        \
  } while (false)
#endif
#endif

#if defined(PLAIT_COMPILED) && !defined(PLAIT_KERNEL)
#ifdef PLAIT_COMPILES_KERNELS
#define PLAIT_KERNEL template
#else
#define PLAIT_KERNEL extern template
#endif
#endif

PLAIT_INTRINSICS_BEGIN
#if defined(__GNUC__) && !defined(__clang__)
// Of lambdas that return a packet, as if they were not compiled for the set.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

#if PLAIT_LEAST_SET == 0
#define PLAIT_SET baseline
#define PLAIT_SET_BYTES 16
#if defined(__aarch64__)
#define PLAIT_SET_REGISTERS 32
#else
#define PLAIT_SET_REGISTERS 16
#endif
#include PLAIT_EACH_SET
#undef PLAIT_SET
#undef PLAIT_SET_BYTES
#undef PLAIT_SET_REGISTERS
#endif

#if PLAIT_LEAST_SET <= 1 && PLAIT_MOST_SET >= 1
#if PLAIT_LEAST_SET < 1
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#endif
#define PLAIT_SET avx2
#define PLAIT_SET_BYTES 32
#define PLAIT_SET_REGISTERS 16
#include PLAIT_EACH_SET
#undef PLAIT_SET
#undef PLAIT_SET_BYTES
#undef PLAIT_SET_REGISTERS
#if PLAIT_LEAST_SET < 1
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
#endif

#if PLAIT_MOST_SET >= 2
#if PLAIT_LEAST_SET < 2
#ifdef __clang__
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,avx512f,avx512vl,avx512bw,avx512dq"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512bw,avx512dq")
#endif
#endif
#define PLAIT_SET avx512
#define PLAIT_SET_BYTES 64
#define PLAIT_SET_REGISTERS 32
#include PLAIT_EACH_SET
#undef PLAIT_SET
#undef PLAIT_SET_BYTES
#undef PLAIT_SET_REGISTERS
#if PLAIT_LEAST_SET < 2
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
PLAIT_INTRINSICS_END

#undef PLAIT_EACH_SET
