// Axis: a range of numbers with round ticks.
#pragma once
#include <string>
#include <vector>

namespace svg {

// Of the finite numbers among those included.
struct Range {
  double low = 0;
  double high = 0;
  bool empty = true;

  void include(double value);
};

// Ticks are multiples of 1, 2 or 5 times a power of ten; the first and the last are the axis's
// ends.
struct Axis {
  std::vector<double> ticks;  // at least two
  int digits = 0;             // decimals that tell them apart

  double low() const { return ticks.front(); }
  double high() const { return ticks.back(); }
  // Where the value lies between the ends: 0 at low, 1 at high.
  double share(double value) const { return (value - low()) / (high() - low()); }
  std::string label(double tick) const;
};

// Around all of the range, with about `intervals` intervals; `whole`: ticks are whole numbers. Of
// an empty range from 0 to 1, of a single number some way to both sides of it.
Axis round_axis(Range range, int intervals, bool whole = false);

}  // namespace svg
