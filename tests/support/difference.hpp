// How far two buffers of parameters are apart.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "plait/core/param_buffer.hpp"

// The largest absolute difference; infinite when one is not a finite number.
inline double difference(const plait::ParamBuffer<double>& a, const plait::ParamBuffer<double>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.flat().size(); ++i) {
    const double apart = std::abs(a.flat()[i] - b.flat()[i]);
    if (!std::isfinite(apart)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, apart);
  }
  return worst;
}
