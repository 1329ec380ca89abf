// HeatMap: a matrix as coloured cells, each with its number.
#pragma once
#include <string>
#include <vector>

namespace svg {

struct HeatCell {
  double value = 0;     // NaN leaves the cell empty
  std::string title{};  // shown while the pointer is on it
};

struct HeatMap {
  std::string title{};
  std::vector<std::string> rows{};
  std::vector<std::string> columns{};
  std::vector<std::vector<HeatCell>> cells{};  // [rows][columns]
  double full = 1;  // the magnitude of the strongest colour; negative numbers have another hue
};

// An <svg> whose classes style.hpp styles.
std::string draw(const HeatMap& map);

// The colours from -full (or 0, unless `negative`) to full, with their numbers: an <svg> of its
// own.
std::string heat_scale(double full, bool negative);

}  // namespace svg
