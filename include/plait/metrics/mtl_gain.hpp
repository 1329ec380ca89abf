// What multi-task learning gains over single-task models; positive is always better.
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"

namespace plait {

// When is a metric better?
enum class Better { higher, lower, closer_to_one };
template <>
struct EnumNames<Better> {
  static constexpr std::array<std::string_view, 3> names{"higher", "lower", "closer_to_one"};
};

// How much better `multi` is than `single`, in the metric's own unit (PLE, Tang et al., RecSys
// 2020, eq. 11): multi - single where higher is better, single - multi where lower is. For a metric
// that is best at 1, its distance from 1 is compared.
inline double mtl_gain(double multi, double single, Better better) {
  switch (better) {
    case Better::higher:
      return multi - single;
    case Better::lower:
      return single - multi;
    case Better::closer_to_one:
      return std::abs(single - 1) - std::abs(multi - 1);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

// Δm (Maninis et al., CVPR 2019): the mean of the gains, each relative to the single-task value (to
// its distance from 1 for a metric that is best at 1). Some papers report -Δm. Not finite when a
// value that is divided by is 0, NaN for no metrics. Throws ShapeError unless the sizes are equal.
inline double delta_m(std::span<const double> multi, std::span<const double> single,
                      std::span<const Better> better) {
  if (multi.size() != single.size() || multi.size() != better.size())
    throw ShapeError("delta_m", "multi, single, better",
                     text(multi.size(), ", ", single.size(), " and ", better.size(), " entries"),
                     "as many of each");
  double sum = 0;
  for (std::size_t i = 0; i < multi.size(); ++i) {
    const double base = better[i] == Better::closer_to_one ? std::abs(single[i] - 1) : single[i];
    sum += mtl_gain(multi[i], single[i], better[i]) / base;
  }
  return sum / static_cast<double>(multi.size());
}

}  // namespace plait
