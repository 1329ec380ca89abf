// Look: how one series is told from the others, with colour and without.
#pragma once
#include <cstddef>
#include <string>

#include "svg/markup.hpp"

namespace svg {

struct Look {
  std::size_t colour = 0;  // 0 ... 6, the classes c0 ... c6
  std::size_t marker = 0;  // 0 ... 7: disc, square, triangle, diamond, cross, plus, nabla, asterisk
  std::size_t dash = 0;    // 0 ... 3, the classes d0 ... d3; d0 is solid
};

// Of the i-th series. The first 32 differ in marker or dash alone.
Look look(std::size_t i);

// The marker with its centre at (x, y), about 2 * radius wide.
void draw_marker(Markup& out, const Look& look, double x, double y, double radius);

// A short line with the marker, for a legend: an <svg> of its own.
std::string legend_key(const Look& look);

}  // namespace svg
