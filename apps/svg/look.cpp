#include "svg/look.hpp"

#include <cmath>
#include <initializer_list>
#include <utility>

namespace svg {
namespace {

using Offsets = std::initializer_list<std::pair<double, double>>;

std::string at(double x, double y) { return number(x) + ',' + number(y); }

std::string polygon(double x, double y, const Offsets& corners) {
  std::string path;
  for (const auto& [dx, dy] : corners) {
    path += path.empty() ? 'M' : 'L';
    path += at(x + dx, y + dy);
  }
  return path + 'Z';
}

// Lines through the centre to the ends and as far beyond it.
std::string strokes(double x, double y, const Offsets& ends) {
  std::string path;
  for (const auto& [dx, dy] : ends) path += 'M' + at(x - dx, y - dy) + 'L' + at(x + dx, y + dy);
  return path;
}

}  // namespace

Look look(std::size_t i) { return {i % 7, i % 8, (i + i / 8) % 4}; }

void draw_marker(Markup& out, const Look& look, double x, double y, double radius) {
  const double r = radius;
  const double half = 0.87 * r;   // a square's, as large as the disc
  const double wide = 1.1 * r;    // a triangle's and a diamond's
  const double slant = 0.75 * r;  // a diagonal's
  std::string path;
  switch (look.marker) {
    case 0:
      out.leaf("circle", {{"class", "marker solid c" + std::to_string(look.colour)},
                          {"cx", number(x)},
                          {"cy", number(y)},
                          {"r", number(r)}});
      return;
    case 1:
      path = polygon(x, y, {{-half, -half}, {half, -half}, {half, half}, {-half, half}});
      break;
    case 2:
      path = polygon(x, y, {{0, -wide}, {wide, half}, {-wide, half}});
      break;
    case 3:
      path = polygon(x, y, {{0, -1.2 * wide}, {wide, 0}, {0, 1.2 * wide}, {-wide, 0}});
      break;
    case 4:
      path = strokes(x, y, {{slant, slant}, {slant, -slant}});
      break;
    case 5:
      path = strokes(x, y, {{r, 0}, {0, r}});
      break;
    case 6:
      path = polygon(x, y, {{0, wide}, {-wide, -half}, {wide, -half}});
      break;
    default:
      path = strokes(x, y, {{0, r}, {half, r / 2}, {half, -r / 2}});
  }
  const bool open = path.back() != 'Z';
  out.leaf("path", {{"class", std::string(open ? "marker open c" : "marker solid c") +
                                  std::to_string(look.colour)},
                    {"d", path}});
}

std::string legend_key(const Look& look) {
  Markup out;
  out.open("svg", {{"class", "key"}, {"viewBox", "0 0 36 14"}, {"aria-hidden", "true"}});
  out.leaf("path",
           {{"class", "line c" + std::to_string(look.colour) + " d" + std::to_string(look.dash)},
            {"d", "M1,7L35,7"}});
  draw_marker(out, look, 18, 7, 4);
  return out.close().str();
}

}  // namespace svg
