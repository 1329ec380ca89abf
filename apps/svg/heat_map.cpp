#include "svg/heat_map.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "plait/core/csv.hpp"
#include "svg/markup.hpp"

namespace svg {
namespace {

constexpr double cell_width = 46;
constexpr double cell_height = 30;
constexpr double letter = 6.5;  // width of a character, about
constexpr double title_height = 26;
constexpr double slope = 0.574;  // sine of 35 degrees, by which long column labels are turned

// Code points.
std::size_t length(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

double widest(const std::vector<std::string>& labels) {
  std::size_t result = 0;
  for (const std::string& text : labels) result = std::max(result, length(text));
  return letter * static_cast<double>(result);
}

// A weight that is exactly 0 is none, and looks it.
std::string two_digits(double value) {
  if (value == 0) return "0";
  const std::string text = plait::fixed_number(value, 2);
  return text == "-0.00" ? "0.00" : text;
}

double strength(double value, double full) {
  return std::isfinite(value) && full > 0 ? std::min(std::abs(value) / full, 1.0) : 0;
}

// The colour shows through as much as the number is strong, on a light page as on a dark one.
void draw_cell(Markup& out, double value, double full, double x, double y, double width,
               double height) {
  out.leaf("rect", {{"class", value < 0 ? "cell cool" : "cell warm"},
                    {"x", number(x)},
                    {"y", number(y)},
                    {"width", number(width)},
                    {"height", number(height)},
                    {"fill-opacity", number(strength(value, full))}});
}

// The number's ink by the colour behind it: that of the page, that of the page if it is light, or
// the page's ground.
const char* ink(double strength) {
  return strength < 0.56 ? "number" : strength < 0.72 ? "number half" : "number strong";
}

}  // namespace

std::string draw(const HeatMap& map) {
  const double left = widest(map.rows) + 10;
  const bool turned = widest(map.columns) > cell_width;
  const double labels = turned ? slope * widest(map.columns) + 14 : 20;
  const double top = title_height + labels;
  const auto columns = static_cast<double>(map.columns.size());
  const auto rows = static_cast<double>(map.rows.size());
  // Turned labels reach beyond the last column.
  const double beyond = turned ? widest(map.columns) * 0.82 : 0;
  const double width =
      std::max(left + std::max(columns * cell_width, (columns - 0.5) * cell_width + beyond) + 2,
               letter * 1.15 * static_cast<double>(length(map.title)));
  const double height = top + rows * cell_height + 2;

  Markup out;
  out.open("svg", {{"class", "heat-map"},
                   {"role", "img"},
                   {"aria-label", map.title},
                   {"width", number(width)},
                   {"viewBox", "0 0 " + number(width) + ' ' + number(height)}});
  out.element("text", {{"class", "title"}, {"x", "0"}, {"y", "14"}}, map.title);
  for (std::size_t c = 0; c < map.columns.size(); ++c) {
    const std::string x = number(left + (static_cast<double>(c) + 0.5) * cell_width);
    const std::string y = number(top - 7);
    if (turned)
      out.element(
          "text",
          {{"class", "tick"}, {"x", x}, {"y", y}, {"transform", "rotate(-35 " + x + ' ' + y + ')'}},
          map.columns[c]);
    else
      out.element("text", {{"class", "tick middle"}, {"x", x}, {"y", y}}, map.columns[c]);
  }
  for (std::size_t r = 0; r < map.rows.size(); ++r) {
    const double y = top + static_cast<double>(r) * cell_height;
    const double base = y + cell_height / 2 + 4;
    out.element("text", {{"class", "tick end"}, {"x", number(left - 8)}, {"y", number(base)}},
                map.rows[r]);
    for (std::size_t c = 0; c < map.columns.size(); ++c) {
      const double x = left + static_cast<double>(c) * cell_width;
      const HeatCell& cell = map.cells[r][c];
      out.open("g", {{"class", "point"}});
      if (!cell.title.empty()) out.element("title", {}, cell.title);
      draw_cell(out, cell.value, map.full, x, y, cell_width, cell_height);
      if (!std::isnan(cell.value))
        out.element("text",
                    {{"class", ink(strength(cell.value, map.full))},
                     {"x", number(x + cell_width / 2)},
                     {"y", number(base)}},
                    two_digits(cell.value));
      out.close();
    }
  }
  return out.close().str();
}

std::string heat_scale(double full, bool negative) {
  constexpr double step = 38;
  const int steps = 4;  // to each side of 0
  Markup out;
  const double width = step * (negative ? 2 * steps + 1 : steps + 1) + 2;
  out.open("svg", {{"class", "heat-map"},
                   {"role", "img"},
                   {"aria-label", "colours of the numbers"},
                   {"width", number(width)},
                   {"viewBox", "0 0 " + number(width) + " 34"}});
  int at = 0;
  for (int i = negative ? -steps : 0; i <= steps; ++i, ++at) {
    const double value = full * i / steps;
    draw_cell(out, value, full, 1 + step * at, 1, step, 14);
    out.element("text",
                {{"class", "tick middle"}, {"x", number(1 + step * (at + 0.5))}, {"y", "29"}},
                two_digits(value));
  }
  return out.close().str();
}

}  // namespace svg
