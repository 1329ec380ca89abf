// Pictures of routes: well formed, everything once and in its place, of bounded size, the same
// bytes everywhere.
#include <algorithm>
#include <cstddef>
#include <locale>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "apps/train_ranker/xml.hpp"
#include "as_routes.hpp"
#include "pictures.hpp"
#include "plait/architectures/adatt.hpp"
#include "plait/architectures/cross_stitch.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/architectures/single_task.hpp"
#include "support/catch.hpp"
#include "svg/route_picture.hpp"
#include "svg/route_style.hpp"
#include "svg/style.hpp"

using namespace plait;

namespace {

template <class Description>
Plan plan_of(const Description& description) {
  ParamTable table;
  return description.plan(table, "");
}

std::vector<Body> levels(std::size_t count) { return std::vector<Body>(count, Body{4}); }

struct Point {
  int x = 0, y = 0;
};

// A picture as it is read again: elements of a class, and where experts and units are.
class Drawn {
 public:
  explicit Drawn(const std::string& picture) : root_(xml::parse(picture)) {
    root_.visit([&](const xml::Element& e) {
      if (kind_of(e) == "slot") input_y = centre(e).y;
      if (e.name == "g" && kind_of(e) == "unit") units.push_back(centre(e.children.front()));
      if (e.name == "g" && e.children.size() == 2 && kind_of(e.children[1]) == "expert")
        experts[e.children[0].text].push_back(centre(e.children[1]));
    });
  }

  // All whose class begins with a word, or has it.
  std::vector<const xml::Element*> of(const std::string& word) const {
    std::vector<const xml::Element*> found;
    root_.visit([&](const xml::Element& e) {
      const auto kind = e.attributes.find("class");
      if (kind != e.attributes.end() &&
          (' ' + kind->second + ' ').find(' ' + word + ' ') != std::string::npos)
        found.push_back(&e);
    });
    return found;
  }
  std::size_t count(const std::string& word) const { return of(word).size(); }
  const xml::Element& root() const { return root_; }

  std::map<std::string, std::vector<Point>> experts;  // by name
  std::vector<Point> units;                           // level by level
  int input_y = 0;

 private:
  static std::string kind_of(const xml::Element& e) {
    const auto kind = e.attributes.find("class");
    return kind == e.attributes.end() ? "" : kind->second.substr(0, kind->second.find(' '));
  }
  static Point centre(const xml::Element& e) {
    const auto number = [&](const char* name) { return std::stoi(e.attributes.at(name)); };
    if (e.name == "circle") return {number("cx"), number("cy")};
    return {number("x") + number("width") / 2, number("y") + number("height") / 2};
  }

  xml::Element root_;
};

std::string line(Point from, Point to) {
  return 'M' + std::to_string(from.x) + ' ' + std::to_string(from.y) + 'L' + std::to_string(to.x) +
         ' ' + std::to_string(to.y);
}

// Kind and path of every line from an expert to a unit, and from a unit to who reads it; of what
// reads the input the number, by kind.
struct Lines {
  std::vector<std::string> weights, reads;
  std::map<std::string, std::size_t> of_input;

  void sort() {
    std::ranges::sort(weights);
    std::ranges::sort(reads);
  }
};

std::vector<Index> slots_of(const GateRoute& gate) {
  std::vector<Index> slots{gate.slot};
  slots.insert(slots.end(), gate.more_slots.begin(), gate.more_slots.end());
  return slots;
}

Lines expected_lines(const Plan& plan, const Drawn& drawn) {
  Lines lines;
  std::size_t below = 0, first = 0;
  for (std::size_t l = 0; l < plan.levels.size(); ++l) {
    const LevelRoute& level = plan.levels[l].route;
    const auto place = [&](Index e) {
      return drawn.experts.at(level.experts[static_cast<std::size_t>(e)].name).front();
    };
    const auto read = [&](const std::string& kind, bool input, Index slot, Point to) {
      if (input)
        ++lines.of_input[kind];
      else
        lines.reads.push_back(kind +
                              line(drawn.units.at(below + static_cast<std::size_t>(slot)), to));
    };
    for (Index e = 0; e < std::ssize(level.experts); ++e)
      read("reads ", l == 0, level.experts[static_cast<std::size_t>(e)].slot,
           {place(e).x, place(e).y + 8});
    for (std::size_t u = 0; u < level.units.size(); ++u) {
      const UnitRoute& unit = level.units[u];
      if (unit.gate)
        for (const Index slot : slots_of(*unit.gate))
          read("asks ", l == 0 || level.gates_read_input, slot, drawn.units.at(first + u));
      for (std::size_t j = 0; j < unit.experts.size(); ++j) {
        const auto at = static_cast<Index>(j);
        const bool is_static = unit.statics && at >= unit.statics->first &&
                               at < unit.statics->first + unit.statics->count;
        const bool stopped = std::ranges::find(unit.stopped, at) != unit.stopped.end();
        const Point from = place(unit.experts[j]);
        lines.weights.push_back((is_static ? "static " : "gated ") +
                                line({from.x, from.y - 8}, drawn.units.at(first + u)) +
                                (stopped ? " stopped" : ""));
      }
    }
    below = first;
    first += level.units.size();
  }
  lines.sort();
  return lines;
}

Lines drawn_lines(const Drawn& drawn) {
  Lines lines;
  for (const char* kind : {"static", "gated"}) {
    for (const auto* e : drawn.of(kind)) {
      const bool stopped = e->attributes.at("class").ends_with(" stopped");
      lines.weights.push_back(kind + (' ' + e->attributes.at("d")) + (stopped ? " stopped" : ""));
    }
  }
  const std::string input = ' ' + std::to_string(drawn.input_y) + 'L';
  for (const std::string kind : {"reads", "asks"}) {
    for (const auto* e : drawn.of(kind)) {
      const std::string& path = e->attributes.at("d");
      if (path.find(input) == std::string::npos)
        lines.reads.push_back(kind + ' ' + path);
      else
        ++lines.of_input[kind + ' '];
    }
  }
  lines.sort();
  return lines;
}

std::vector<Plan> plans() {
  PLE separate{.input_dim = 3, .num_tasks = 3, .levels = levels(3), .separate_inputs = true};
  AsymmetricSharing chain{.input_dim = 3,
                          .num_tasks = 4,
                          .expert = {4},
                          .sources = {{}, {0}, {0, 1}, {2}},
                          .fusion = Fusion::sum};
  Plan wide = plan_of(PLE{.input_dim = 3, .num_tasks = 2, .levels = levels(2)});
  wide.levels[1].route.units[0].gate->more_slots = {2, 1};
  return {plan_of(SingleTask{.input_dim = 3, .num_tasks = 3, .expert = {4}}),
          plan_of(CrossStitch{.input_dim = 3, .num_tasks = 2, .levels = levels(2)}),
          plan_of(MLMMoE{.input_dim = 3, .num_tasks = 2, .num_experts = 5, .levels = levels(2)}),
          plan_of(separate),
          plan_of(AdaTT{.input_dim = 3,
                        .num_tasks = 2,
                        .levels = levels(4),
                        .task_experts = {1, 2},
                        .shared_experts = 2}),
          plan_of(AdaTTSp{.input_dim = 3, .num_tasks = 7, .levels = levels(2)}),
          pictures::as_routes(chain),
          wide};
}

}  // namespace

TEST_CASE("route_picture: every slot, expert, unit and line once, and in its place") {
  for (const Plan& plan : plans()) {
    const Drawn drawn(svg::route_picture(plan));
    std::size_t experts = 0, units = 0, gates = 0, asked = 0, statics = 0, stopped = 0;
    for (const LevelPlan& level : plan.levels) {
      experts += level.route.experts.size();
      units += level.route.units.size();
      for (const UnitRoute& unit : level.route.units) {
        gates += unit.gate.has_value();
        if (unit.gate) asked += slots_of(*unit.gate).size();
        statics += unit.statics.has_value();
        stopped += unit.stopped.size();
      }
      for (const ExpertRoute& expert : level.route.experts)
        CHECK(drawn.experts.at(expert.name).size() == 1);
    }
    INFO(experts << " experts, " << units << " units");
    CHECK(drawn.count("slot") == static_cast<std::size_t>(plan.in.slots));
    CHECK(drawn.count("expert") == experts);
    CHECK(drawn.units.size() == units);
    CHECK(drawn.count("gate") == gates);
    CHECK(drawn.count("ring") == statics);
    CHECK(drawn.count("reads") == experts);
    CHECK(drawn.count("asks") == asked);
    CHECK(drawn.count("stopped") == stopped);
    const Lines expected = expected_lines(plan, drawn), found = drawn_lines(drawn);
    CHECK(found.weights == expected.weights);
    CHECK(found.reads == expected.reads);
    CHECK(found.of_input == expected.of_input);
    CHECK(std::ranges::adjacent_find(found.weights) == found.weights.end());
  }
}

TEST_CASE("route_picture: what is empty is drawn empty") {
  auto plan = plan_of(MMoE{.input_dim = 3, .num_tasks = 2, .num_experts = 2, .expert = {4}});
  plan.levels[0].route = {};
  CHECK(Drawn(svg::route_picture(plan)).count("expert") == 0);
}

TEST_CASE("route_picture: a stopped route is dashed") {
  auto plan = plan_of(MMoE{.input_dim = 3, .num_tasks = 2, .num_experts = 2, .expert = {4}});
  CHECK(Drawn(svg::route_picture(plan)).count("stopped") == 0);
  plan.levels[0].route.units[1].stopped = {0};
  const Drawn drawn(svg::route_picture(plan));
  REQUIRE(drawn.count("stopped") == 1);
  const xml::Element& dashed = *drawn.of("stopped").front();
  const Point from = drawn.experts.at("experts.0.0").front();
  CHECK(dashed.attributes.at("d") == line({from.x, from.y - 8}, drawn.units[1]));
  CHECK(std::string_view(svg::route_style).find(".stopped { stroke-dasharray") !=
        std::string_view::npos);
}

TEST_CASE("route_picture: colours are the owners', shared ones stand in the middle") {
  const Drawn drawn(svg::route_picture(
      plan_of(PLE{.input_dim = 3, .num_tasks = 2, .levels = levels(2), .shared_experts = 2})));
  const auto kinds = [&](const char* word) {
    std::vector<std::string> result;
    for (const auto* e : drawn.of(word)) result.push_back(e->attributes.at("class"));
    return result;
  };
  CHECK(kinds("gate") ==
        std::vector<std::string>{"gate t0", "gate t1", "gate n", "gate t0", "gate t1"});
  CHECK(kinds("expert") == std::vector<std::string>{"expert t0", "expert t1", "expert n",
                                                    "expert n", "expert t0", "expert t1",
                                                    "expert n", "expert n"});
  for (const char* level : {"experts.0.", "experts.1."}) {
    const auto x = [&](const char* k) {
      return drawn.experts.at(level + std::string(k)).front().x;
    };
    CHECK(x("0") < x("2"));
    CHECK(x("2") < x("3"));
    CHECK(x("3") < x("1"));
  }
}

TEST_CASE("route_picture: names are escaped, and shortened") {
  auto plan = plan_of(SingleTask{.input_dim = 3, .num_tasks = 3, .expert = {4}});
  plan.levels[0].route.experts[0].name = "a<b>&\"c'";
  const std::string picture = svg::route_picture(plan, {.title = "</title><script>",
                                                        .tasks = {"<&>",
                                                                  "\xC3\xBC"
                                                                  "ber alle Ma\xC3\x9F"
                                                                  "en lang"}});
  CHECK(picture.find("<script") == std::string::npos);
  const Drawn drawn(picture);
  CHECK(drawn.experts.count("a<b>&\"c'") == 1);
  CHECK(drawn.root().children.front().text == "</title><script>");
  CHECK(drawn.root().texts("text") == std::vector<std::string>{"input", "<&>",
                                                               "\xC3\xBC"
                                                               "ber alle Ma\xC3\x9F\xE2\x80\xA6",
                                                               "task 3"});
}

TEST_CASE("route_picture: rows of many are thinned, the width is bounded") {
  for (const Index experts : {Index{12}, Index{13}, Index{64}, Index{5000}}) {
    INFO(experts);
    const auto plan =
        plan_of(MMoE{.input_dim = 3, .num_tasks = 3, .num_experts = experts, .expert = {4}});
    const std::string picture = svg::route_picture(plan);
    const Drawn drawn(picture);
    const std::size_t shown = experts == 12 ? 12 : 11;
    CHECK(drawn.count("expert") == shown);
    CHECK(drawn.count("gated") == 3 * shown);
    CHECK(picture.size() < 8000);
    CHECK(drawn.root().attributes.at("width") == "320");
    for (const auto& [name, at] : drawn.experts) {
      CHECK(at.front().x > 10);
      CHECK(at.front().x < 310);
    }
    // None upon another, or upon what tells of the others.
    std::set<int> places;
    for (const auto& [name, at] : drawn.experts) places.insert(at.front().x);
    drawn.root().visit([&](const xml::Element& e) {
      if (e.name == "text" && e.text.starts_with('+'))
        places.insert(std::stoi(e.attributes.at("x")));
    });
    CHECK(places.size() == 12);
    const auto texts = drawn.root().texts("text");
    CHECK(std::ranges::count(texts, '+' + std::to_string(experts - 11)) == (experts > 12));
    // The first and the last are among them.
    CHECK(drawn.experts.count("experts.0.0") == 1);
    CHECK(drawn.experts.count("experts.0." + std::to_string(experts - 1)) == 1);
  }
  const Drawn tasks(
      svg::route_picture(plan_of(SingleTask{.input_dim = 3, .num_tasks = 40, .expert = {4}})));
  CHECK(tasks.units.size() == 11);
  CHECK(tasks.count("static") == 11);
}

TEST_CASE("route_picture: no larger than it says") {
  const auto height = [](std::size_t count) {
    const Drawn drawn(svg::route_picture(
        plan_of(AdaTT{.input_dim = 3, .num_tasks = 2, .levels = levels(count)})));
    return std::stoi(drawn.root().attributes.at("height"));
  };
  CHECK(height(2) <= 240);
  CHECK(height(3) - height(2) == height(2) - height(1));
  svg::route_picture({});
}

TEST_CASE("route_picture: the same bytes in another locale") {
  struct Grouped : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\1"; }
  };
  const auto plan = plan_of(AdaTT{.input_dim = 3, .num_tasks = 2, .levels = levels(20)});
  const std::string picture = svg::route_picture(plan);
  const std::locale before = std::locale::global(std::locale(std::locale(), new Grouped));
  const std::string other = svg::route_picture(plan);
  std::locale::global(before);
  CHECK(other == picture);
}

TEST_CASE("route_picture: refers to nothing outside of it") {
  for (const auto& file : pictures::files()) {
    INFO(file.name);
    xml::parse(file.content);
    for (const char* outside : {"<script", "href", "url(", "@import", "<image", "<use", "var("})
      CHECK(file.content.find(outside) == std::string::npos);
    CHECK(file.content.find("://") == file.content.rfind("://"));  // the name of SVG alone
    CHECK(file.content.size() < 8000);
  }
}

TEST_CASE("route_picture: colours are those of the charts") {
  const std::string_view all = svg::style, used = svg::route_style;
  int colours = 0;
  for (std::size_t at = used.find('#'); at != std::string_view::npos; at = used.find('#', at + 1)) {
    INFO(std::string(used.substr(at, 7)));
    CHECK(all.find(used.substr(at, 7)) != std::string_view::npos);
    ++colours;
  }
  CHECK(colours == 34);
}

TEST_CASE("route_picture: routes that lead nowhere are refused") {
  const auto plan = plan_of(AdaTT{.input_dim = 3, .num_tasks = 2, .levels = levels(2)});
  for (const Index wrong : {Index{-1}, Index{9}}) {
    Plan slot = plan, gate = plan, expert = plan;
    slot.levels[0].route.experts[0].slot = wrong;
    gate.levels[1].route.units[0].gate->slot = wrong;
    expert.levels[1].route.units[0].experts[1] = wrong;
    CHECK_THROWS_AS(svg::route_picture(slot), std::out_of_range);
    CHECK_THROWS_AS(svg::route_picture(gate), std::out_of_range);
    CHECK_THROWS_AS(svg::route_picture(expert), std::out_of_range);
  }
}
