// Chart: series of points over two axes, joined by lines or not.
#pragma once
#include <string>
#include <vector>

#include "svg/look.hpp"

namespace svg {

// Not drawn when a coordinate is not finite; a line then has a gap.
struct Point {
  double x = 0;
  double y = 0;
  std::string title{};  // shown while the pointer is on it
};

struct Series {
  std::vector<Point> points{};
  Look look{};
  bool line = true;
  bool markers = true;
  bool faint = false;  // behind what it is summed up by
};

struct Chart {
  std::string title{};
  std::string note{};  // below the title: what y is and its unit
  std::string x_label{};
  bool whole_x = false;          // ticks of x are whole numbers
  bool zero_lines = false;       // x = 0 and y = 0 are in the picture, and drawn
  std::vector<Series> series{};  // later ones cover earlier ones
};

// An <svg> whose classes style.hpp styles.
std::string draw(const Chart& chart);

}  // namespace svg
