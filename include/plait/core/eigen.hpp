// Eigen/Core. Through this header, so that GCC 12 does not warn of AVX-512 intrinsics inside
// Eigen's own functions (core/config.hpp) where plait is what includes it.
#pragma once
#include "plait/core/config.hpp"

PLAIT_INTRINSICS_BEGIN
#include <Eigen/Core>
PLAIT_INTRINSICS_END
