// Eigen/Core. Through this header, so that GCC 12 does not warn of AVX-512 intrinsics inside
// Eigen's own functions (core/config.hpp) where plait is what includes it, and so that units that
// Eigen aligns differently do not link with plait::compiled.
#pragma once
#include "plait/core/config.hpp"

PLAIT_INTRINSICS_BEGIN
#include <Eigen/Core>
PLAIT_INTRINSICS_END

#ifdef PLAIT_COMPILED
namespace plait::detail {

// How a matrix is allocated and freed depends on the alignment, which follows -mavx and -mavx512f:
// one that the library allocates and a unit of another alignment frees, or the other way round, is
// freed at the wrong address.
#if EIGEN_DEFAULT_ALIGN_BYTES >= 64
#define PLAIT_COMPILED_FOR_ALIGNMENT compiled_for_alignment_64
#elif EIGEN_DEFAULT_ALIGN_BYTES >= 32
#define PLAIT_COMPILED_FOR_ALIGNMENT compiled_for_alignment_32
#else
#define PLAIT_COMPILED_FOR_ALIGNMENT compiled_for_alignment_16
#endif
extern const char PLAIT_COMPILED_FOR_ALIGNMENT;
[[gnu::used]] static const char* const needs_alignment = &PLAIT_COMPILED_FOR_ALIGNMENT;

}  // namespace plait::detail
#endif
