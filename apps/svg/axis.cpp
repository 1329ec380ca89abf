#include "svg/axis.hpp"

#include <algorithm>
#include <cmath>

#include "plait/core/csv.hpp"

namespace svg {
namespace {

// The smallest of 1, 2, 5, 10 times a power of ten that is no less than `least`.
double round_step(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

}  // namespace

void Range::include(double value) {
  if (!std::isfinite(value)) return;
  low = empty ? value : std::min(low, value);
  high = empty ? value : std::max(high, value);
  empty = false;
}

std::string Axis::label(double tick) const {
  const double largest = std::max(std::abs(low()), std::abs(high()));
  if (largest < 1e5 && digits <= 6) return plait::fixed_number(tick, digits);
  const double step = ticks[1] - ticks[0];
  return plait::general_number(tick, static_cast<int>(std::ceil(std::log10(largest / step))) + 1);
}

Axis round_axis(Range range, int intervals, bool whole) {
  if (range.empty) range = {0, 1, false};
  // Nothing narrower than what doubles tell apart.
  const double narrowest =
      std::max(1e-12, 1e-6 * std::max(std::abs(range.low), std::abs(range.high)));
  if (range.high - range.low < narrowest) {
    const double margin = whole ? 1 : range.low == 0 ? 1 : 0.1 * std::abs(range.low);
    range = {range.low - margin, range.high + margin, false};
  }
  double step = round_step((range.high - range.low) / intervals);
  if (whole) step = std::max(step, 1.0);
  Axis axis;
  const double first = std::floor(range.low / step + 1e-9);
  const double last = std::ceil(range.high / step - 1e-9);
  // Of whole multiples, so that no sum drifts; + 0.0 makes -0 to 0.
  for (double i = first; i <= last; ++i) axis.ticks.push_back(i * step + 0.0);
  axis.digits = std::max(0, -static_cast<int>(std::floor(std::log10(step) + 1e-9)));
  return axis;
}

}  // namespace svg
