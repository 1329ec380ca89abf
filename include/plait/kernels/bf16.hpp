// Products of bf16: numbers of 16 bits, the upper half of a float, with 8 bits of precision.
//
// A product y = x Wᵀ in bf16 is the float product of the rounded x and the rounded W, to the last
// bit, on every machine: rounded to the nearest bf16, ties to even, numbers below the normal ones
// (1.2e-38) to zero. A product of two bf16 is exact in a float, and sums are floats, added in the
// order of gemm.hpp. What differs is how it is computed:
//
//   baseline, avx2   W as floats that are rounded (PackedFormat::rounded), by the float kernels
//   avx512           W as pairs, two numbers in a lane of 32 bits, the first in the upper half,
//                    which take half the memory. Lanes are widened in registers, for many rows
//                    once: up to three times as fast as floats where those wait for memory, else up
//                    to a seventh slower
//   avx512_bf16      W and x as pairs: VDPBF16PS adds the product of the upper halves, then that of
//                    the lower ones
//
// Sums below the normal numbers count as zero for VDPBF16PS; nothing else tells them apart.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "plait/core/config.hpp"
#include "plait/core/param_view.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/gemm.hpp"
#include "plait/kernels/panels.hpp"

namespace plait::simd {

// Numbers of x that are rounded at a time, on the stack: 64 KiB, as pairs 32.
inline constexpr Index rounded_room = 16384;

// Rows that read a panel of W together, where there are so many: of longer rows than find room, as
// many numbers at a time as do.
inline constexpr Index rows_together = 64;

// Numbers per column of a panel that are widened at a time, on the stack: 24 KiB, which stay in the
// nearest cache.
inline constexpr Index widened_depth = 128;

}  // namespace plait::simd

#define PLAIT_EACH_SET "plait/kernels/each_set/bf16.inl"
#include "plait/kernels/each_set.hpp"

namespace plait::kernels {

// The format for weights in bf16 under an instruction set.
constexpr PackedFormat bf16_format(InstructionSet set) {
  return set >= InstructionSet::avx512 ? PackedFormat::pairs : PackedFormat::rounded;
}

// Lanes that a row of `inputs` numbers takes.
constexpr Index lanes(PackedFormat format, Index inputs) {
  return format == PackedFormat::pairs ? (inputs + 1) / 2 : inputs;
}

// A row of weights w [size] in bf16, to [lanes]: rounded numbers, or pairs of them. Beside an odd
// last number is -0, which changes no sum.
inline void round_weights([[maybe_unused]] InstructionSet set, PackedFormat format, Index size,
                          const float* w, float* to) {
  PLAIT_RUN(set, round_weights(format, size, w, to));
}

}  // namespace plait::kernels
