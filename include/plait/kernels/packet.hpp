// Packets: vectors of as many numbers as a register of the instruction set holds, and what is done
// to them, in one namespace per set: simd::baseline, simd::avx2, simd::avx512.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "plait/core/config.hpp"

#define PLAIT_EACH_SET "plait/kernels/each_set/packet.inl"
#include "plait/kernels/each_set.hpp"
