#include "svg/route_picture.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "svg/markup.hpp"
#include "svg/route_owners.hpp"
#include "svg/route_style.hpp"

namespace svg {
namespace {

using plait::LevelRoute;
using plait::UnitRoute;

// All in whole pixels.
constexpr Index width = 320;
constexpr Index margin = 8;
constexpr Index top = 38;     // of the last units
constexpr Index rise = 43;    // from a row to the next
constexpr Index bottom = 24;  // below the row of the input
constexpr Index expert_height = 16;
constexpr Index unit_radius = 8;
constexpr Index slot_height = 5;
constexpr Index aside = 20;  // between what a gate reads from a bar and the unit's own place
constexpr Index most = 12;   // places in a row
constexpr Index first_of_many = 7;
constexpr Index last_of_many = 4;
constexpr Index hidden = -1;

std::string px(Index value) { return std::to_string(value); }

std::string colour(Index owner) { return owner == nobody ? "n" : 't' + std::to_string(owner % 6); }

// Things side by side: experts, units or slots.
class Row {
 public:
  // Tasks in their order, and what is nobody's between the first half of them and the second.
  Row(Index y, std::vector<Index> owners, Index tasks) : y_(y), owners_(std::move(owners)) {
    const auto place = [&](Index owner) {
      return owner == nobody ? 2 * ((tasks + 1) / 2) - 1 : 2 * owner;
    };
    std::vector<std::size_t> order(owners_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return place(owners_[i]); });
    const Index count = std::ssize(order);
    const bool all = count <= most;
    left_out_ = all ? 0 : count - first_of_many - last_of_many;
    const Index places = all ? count : most;
    const auto middle = [&](Index p) {
      return margin + (2 * p + 1) * (width - 2 * margin) / (2 * places);
    };
    x_.assign(order.size(), hidden);
    for (Index i = 0; i < count; ++i) {
      const bool before = all || i < first_of_many;
      if (!before && i < count - last_of_many) continue;
      x_[order[static_cast<std::size_t>(i)]] = middle(before ? i : i - left_out_ + 1);
    }
    if (!all) dots_ = middle(first_of_many);
    pitch_ = places == 0 ? width : (width - 2 * margin) / places;
  }

  Index size() const { return std::ssize(x_); }
  bool is_drawn(Index i) const { return x(i) != hidden; }
  Index x(Index i) const { return x_.at(static_cast<std::size_t>(i)); }
  Index y() const { return y_; }
  std::string colour(Index i) const { return svg::colour(owners_.at(static_cast<std::size_t>(i))); }
  Index pitch() const { return pitch_; }  // from the middle of one to that of the next

  // How many there are beside those drawn.
  void draw_rest(Markup& out) const {
    if (left_out_ > 0)
      out.element("text", {{"class", "muted"}, {"x", px(dots_)}, {"y", px(y_ + 4)}},
                  '+' + std::to_string(left_out_));
  }

 private:
  Index y_;
  std::vector<Index> owners_, x_;
  Index left_out_ = 0, dots_ = 0, pitch_ = 0;
};

Index expert_width(const Row& row) { return std::min<Index>(26, 3 * row.pitch() / 4); }
Index slot_width(const Row& row) { return 9 * row.pitch() / 10; }

// The rows of a level, and of what it reads.
struct Level {
  const LevelRoute& route;
  const Row& slots;
  const Row& input;
  const Row& experts;
  const Row& units;
};

// Where a slot is left for something at x: from a bar straight up, from a unit's middle.
Index leaves_at(const Row& slots, Index slot, Index x, bool is_input) {
  const Index half = is_input ? slot_width(slots) / 2 - slot_height : 0;
  return std::clamp(x, slots.x(slot) - half, slots.x(slot) + half);
}

void line(Markup& out, const std::string& kind, Index x1, Index y1, Index x2, Index y2) {
  out.leaf("path",
           {{"class", kind}, {"d", 'M' + px(x1) + ' ' + px(y1) + 'L' + px(x2) + ' ' + px(y2)}});
}

// What experts and gates read.
void draw_reads(Markup& out, const Level& level) {
  const auto draw = [&](const std::string& kind, const Row& from, Index slot, const Row& to,
                        Index i, Index y, Index shift) {
    if (!from.is_drawn(slot) || !to.is_drawn(i)) return;
    const bool is_input = &from == &level.input;
    line(out, kind + to.colour(i), leaves_at(from, slot, to.x(i) + shift, is_input), from.y(),
         to.x(i), y);
  };
  const Row& experts = level.experts;
  for (Index e = 0; e < experts.size(); ++e)
    draw("reads ", level.slots, level.route.experts[static_cast<std::size_t>(e)].slot, experts, e,
         experts.y() + expert_height / 2, 0);
  const Row& asked = level.route.gates_read_input ? level.input : level.slots;
  for (Index u = 0; u < level.units.size(); ++u)
    if (const auto& gate = level.route.units[static_cast<std::size_t>(u)].gate) {
      std::vector<Index> slots = gate->more_slots;
      slots.insert(slots.begin(), gate->slot);
      for (const Index slot : slots)
        draw("asks ", asked, slot, level.units, u, level.units.y(),
             level.units.x(u) <= width / 2 ? aside : -aside);
    }
}

// What units weigh.
void draw_weights(Markup& out, const Level& level) {
  for (Index u = 0; u < level.units.size(); ++u) {
    const UnitRoute& unit = level.route.units[static_cast<std::size_t>(u)];
    for (Index j = 0; j < std::ssize(unit.experts); ++j) {
      const Index e = unit.experts[static_cast<std::size_t>(j)];
      if (!level.experts.is_drawn(e) || !level.units.is_drawn(u)) continue;
      const bool is_static =
          unit.statics && j >= unit.statics->first && j < unit.statics->first + unit.statics->count;
      const bool stopped = std::ranges::find(unit.stopped, j) != unit.stopped.end();
      line(out,
           (is_static ? "static " : "gated ") + level.units.colour(u) + (stopped ? " stopped" : ""),
           level.experts.x(e), level.experts.y() - expert_height / 2, level.units.x(u),
           level.units.y());
    }
  }
}

void draw_box(Markup& out, const std::string& kind, Index x, Index y, Index wide, Index high) {
  out.leaf("rect", {{"class", kind},
                    {"x", px(x)},
                    {"y", px(y)},
                    {"width", px(wide)},
                    {"height", px(high)},
                    {"rx", px(high > 8 ? 3 : 2)}});
}

void draw_experts(Markup& out, const Level& level) {
  const Row& row = level.experts;
  const Index wide = expert_width(row);
  for (Index e = 0; e < row.size(); ++e) {
    if (!row.is_drawn(e)) continue;
    const Index x = row.x(e) - wide / 2, y = row.y() - expert_height / 2;
    draw_box(out, "back", x, y, wide, expert_height);  // lines end behind it
    out.open("g").element("title", {}, level.route.experts[static_cast<std::size_t>(e)].name);
    draw_box(out, "expert " + row.colour(e), x, y, wide, expert_height);
    out.close();
  }
  row.draw_rest(out);
}

void circle(Markup& out, const std::string& kind, Index x, Index y, Index radius) {
  out.leaf("circle", {{"class", kind}, {"cx", px(x)}, {"cy", px(y)}, {"r", px(radius)}});
}

void draw_units(Markup& out, const Level& level) {
  const Row& row = level.units;
  for (Index u = 0; u < row.size(); ++u) {
    if (!row.is_drawn(u)) continue;
    const UnitRoute& unit = level.route.units[static_cast<std::size_t>(u)];
    const Index x = row.x(u), y = row.y();
    circle(out, "back", x, y, unit_radius + 1);
    out.open("g", {{"class", "unit"}});
    if (unit.statics) circle(out, "ring " + row.colour(u), x, y, unit_radius - 1);
    if (unit.gate) circle(out, "gate " + row.colour(u), x, y, unit.statics ? 4 : unit_radius - 2);
    out.close();
  }
  row.draw_rest(out);
}

void draw_input(Markup& out, const Row& row) {
  const Index wide = slot_width(row);
  for (Index s = 0; s < row.size(); ++s)
    if (row.is_drawn(s))
      draw_box(out, "slot n", row.x(s) - wide / 2, row.y() - slot_height / 2, wide, slot_height);
  row.draw_rest(out);
  out.element("text", {{"class", "muted"}, {"x", px(width / 2)}, {"y", px(row.y() + 17)}},
              row.size() == 1 ? "input" : "inputs");
}

// What fits, with an ellipsis for the rest.
std::string shortened(const std::string& text, Index pixels) {
  constexpr Index letter = 7;
  const auto begins_one = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  const Index fits = std::max<Index>(pixels / letter, 2);
  if (std::ranges::count_if(text, begins_one) <= fits) return text;
  std::string result;
  Index letters = 0;
  for (const char c : text) {
    if (begins_one(c) && ++letters == fits) break;
    result += c;
  }
  return result + "\xE2\x80\xA6";
}

void draw_names(Markup& out, const Row& row, const std::vector<std::string>& tasks) {
  for (Index t = 0; t < row.size(); ++t) {
    if (!row.is_drawn(t)) continue;
    const std::string name = t < std::ssize(tasks)
                                 ? tasks[static_cast<std::size_t>(t)]
                                 : (row.pitch() < 44 ? "" : "task ") + std::to_string(t + 1);
    out.element("text", {{"x", px(row.x(t))}, {"y", px(row.y() - 16)}},
                shortened(name, row.pitch()));
  }
}

}  // namespace

std::string route_picture(const plait::Plan& plan, const RoutePictureOptions& options) {
  const auto owners = owners_of(plan);
  const Index levels = std::ssize(plan.levels);
  const Index height = top + 2 * levels * rise + bottom;
  const Index tasks = levels == 0 ? 0 : std::ssize(owners.back().units);

  // The input, and of every level its experts and its units, from the bottom.
  std::vector<Row> rows;
  Index y = height - bottom;
  rows.emplace_back(y, std::vector<Index>(static_cast<std::size_t>(plan.in.slots), nobody), tasks);
  for (const LevelOwners& of : owners) {
    rows.emplace_back(y -= rise, of.experts, tasks);
    rows.emplace_back(y -= rise, of.units, tasks);
  }

  Markup out;
  out.open("svg", {{"xmlns", "http://www.w3.org/2000/svg"},
                   {"role", "img"},
                   {"width", px(width)},
                   {"height", px(height)},
                   {"viewBox", "0 0 " + px(width) + ' ' + px(height)}});
  out.element("title", {}, options.title);
  out.open("style").raw(route_style).close();
  out.leaf("rect",
           {{"class", "ground"}, {"width", px(width)}, {"height", px(height)}, {"rx", "6"}});
  const auto each_level = [&](void (*draw)(Markup&, const Level&)) {
    for (std::size_t l = 0; l < plan.levels.size(); ++l)
      draw(out,
           {plan.levels[l].route, rows[2 * l], rows.front(), rows[2 * l + 1], rows[2 * l + 2]});
  };
  each_level(draw_reads);
  each_level(draw_weights);
  draw_input(out, rows.front());
  each_level(draw_experts);
  each_level(draw_units);
  if (levels > 0) draw_names(out, rows.back(), options.tasks);
  return out.close().str();
}

}  // namespace svg
