#include "svg/chart.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "svg/axis.hpp"
#include "svg/markup.hpp"

namespace svg {
namespace {

constexpr double width = 440;
constexpr double height = 290;
constexpr double left = 58;
constexpr double right = 16;
constexpr double top = 52;
constexpr double bottom = 46;
constexpr std::size_t most_markers = 16;  // of a line; more would hide it

bool is_drawn(const Point& point) { return std::isfinite(point.x) && std::isfinite(point.y); }

class Frame {
 public:
  Frame(Axis x, Axis y) : x_axis(std::move(x)), y_axis(std::move(y)) {}

  double x(double value) const { return left + x_axis.share(value) * (width - left - right); }
  double y(double value) const {
    return height - bottom - y_axis.share(value) * (height - top - bottom);
  }
  std::string at(const Point& point) const { return number(x(point.x)) + ',' + number(y(point.y)); }

  const Axis x_axis;
  const Axis y_axis;
};

void line(Markup& out, const char* kind, double x1, double y1, double x2, double y2) {
  out.leaf("line", {{"class", kind},
                    {"x1", number(x1)},
                    {"y1", number(y1)},
                    {"x2", number(x2)},
                    {"y2", number(y2)}});
}

void label(Markup& out, const char* kind, double x, double y, const std::string& text) {
  out.element("text", {{"class", kind}, {"x", number(x)}, {"y", number(y)}}, text);
}

void draw_axes(Markup& out, const Chart& chart, const Frame& frame) {
  for (const double tick : frame.y_axis.ticks) {
    line(out, "grid", left, frame.y(tick), width - right, frame.y(tick));
    label(out, "tick end", left - 8, frame.y(tick) + 4, frame.y_axis.label(tick));
  }
  for (const double tick : frame.x_axis.ticks) {
    line(out, "grid", frame.x(tick), height - bottom, frame.x(tick), height - bottom + 5);
    label(out, "tick middle", frame.x(tick), height - bottom + 18, frame.x_axis.label(tick));
  }
  line(out, "axis", left, height - bottom, width - right, height - bottom);
  if (chart.zero_lines) {
    line(out, "zero", left, frame.y(0), width - right, frame.y(0));
    line(out, "zero", frame.x(0), top, frame.x(0), height - bottom);
  }
  label(out, "label middle", (left + width - right) / 2, height - 8, chart.x_label);
}

// The pieces between gaps. A lone point is a line of no length, which round ends make a dot.
std::string path_of(const Series& series, const Frame& frame) {
  std::string path;
  bool begun = false;
  for (std::size_t i = 0; i < series.points.size(); ++i) {
    const Point& point = series.points[i];
    if (!is_drawn(point)) {
      begun = false;
      continue;
    }
    path += begun ? 'L' : 'M';
    path += frame.at(point);
    const bool alone = !begun && (i + 1 == series.points.size() || !is_drawn(series.points[i + 1]));
    if (alone) path += "h0";
    begun = true;
  }
  return path;
}

void draw_series(Markup& out, const Series& series, const Frame& frame) {
  out.open("g", {{"class", series.faint ? "series faint" : "series"}});
  const std::string path = series.line ? path_of(series, frame) : "";
  if (!path.empty())
    out.leaf("path", {{"class", "line c" + std::to_string(series.look.colour) + " d" +
                                    std::to_string(series.look.dash)},
                      {"d", path}});
  const std::size_t every =
      series.line ? (series.points.size() + most_markers - 1) / most_markers : 1;
  for (std::size_t i = 0; i < series.points.size(); ++i) {
    const Point& point = series.points[i];
    if (!is_drawn(point)) continue;
    out.open("g", {{"class", "point"}});
    if (!point.title.empty()) out.element("title", {}, point.title);
    // Larger than what is seen, so that it is easily met.
    out.leaf("circle", {{"class", "target"},
                        {"cx", number(frame.x(point.x))},
                        {"cy", number(frame.y(point.y))},
                        {"r", series.faint ? "5" : "8"}});
    if (series.markers && i % every == 0)
      draw_marker(out, series.look, frame.x(point.x), frame.y(point.y), series.faint ? 3 : 4);
    out.close();
  }
  out.close();
}

}  // namespace

std::string draw(const Chart& chart) {
  Range x;
  Range y;
  for (const Series& series : chart.series) {
    for (const Point& point : series.points) {
      if (!is_drawn(point)) continue;
      x.include(point.x);
      y.include(point.y);
    }
  }
  Markup out;
  out.open("svg", {{"class", "chart"},
                   {"role", "img"},
                   {"aria-label", chart.title},
                   {"viewBox", "0 0 " + number(width) + ' ' + number(height)}});
  label(out, "title", 0, 16, chart.title);
  label(out, "label", 0, 34, chart.note);
  if (y.empty) {
    label(out, "label middle", width / 2, height / 2, "no value is defined");
    return out.close().str();
  }
  if (chart.zero_lines) {
    x.include(0);
    y.include(0);
  }
  const Frame frame(round_axis(x, 6, chart.whole_x), round_axis(y, 5));
  draw_axes(out, chart, frame);
  for (const Series& series : chart.series) draw_series(out, series, frame);
  return out.close().str();
}

}  // namespace svg
