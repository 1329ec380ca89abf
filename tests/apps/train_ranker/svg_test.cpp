#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "svg/axis.hpp"
#include "svg/chart.hpp"
#include "svg/heat_map.hpp"
#include "svg/look.hpp"
#include "svg/markup.hpp"
#include "xml.hpp"

namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

// The attribute of all elements of a class, in order.
std::vector<std::string> attributes(const xml::Element& root, const std::string& kind,
                                    const std::string& attribute) {
  std::vector<std::string> found;
  root.visit([&](const xml::Element& e) {
    const auto of = e.attributes.find("class");
    if (of != e.attributes.end() && of->second.starts_with(kind))
      found.push_back(e.attributes.at(attribute));
  });
  return found;
}

svg::Chart chart_of(std::vector<svg::Point> points) {
  svg::Chart chart{.title = "a", .note = "b", .x_label = "c"};
  chart.series.push_back({.points = std::move(points)});
  return chart;
}

}  // namespace

TEST_CASE("svg: text is escaped, as content and in attributes") {
  CHECK(svg::escaped("a<b & \"c\" > 'd'") == "a&lt;b &amp; &quot;c&quot; &gt; &#39;d&#39;");
  CHECK(svg::escaped(std::string("\x01", 1) + "\n") == "\xEF\xBF\xBD\n");
  svg::Markup out;
  out.element("p", {{"title", "\"<&>\""}}, "</p>");
  const auto read = xml::parse(out.str());
  CHECK(read.attributes.at("title") == "\"<&>\"");
  CHECK(read.text == "</p>");
}

TEST_CASE("svg: elements are closed in their order, and all of them") {
  svg::Markup out;
  out.open("a").open("b").leaf("c").close();
  CHECK_THROWS_WITH(out.str(), "svg::Markup: <a> is not closed");
  out.close();
  CHECK(xml::parse(out.str()).children.front().children.front().name == "c");
  CHECK_THROWS_WITH(out.close(), "svg::Markup: close without an open element");
}

TEST_CASE("svg: the reader of the tests refuses what is not well formed") {
  for (const char* bad : {"<a>", "<a></b>", "<a b='c'/>", "<a b=\"c\" b=\"d\"/>", "<a>&nbsp;</a>",
                          "<a>&</a>", "<a b=\"<\"/>", "<a/>x", "<a/><b/>", "<a \x01/>"}) {
    INFO(bad);
    CHECK_THROWS(xml::parse(bad));
  }
}

TEST_CASE("svg: coordinates are short") {
  CHECK(svg::number(1) == "1");
  CHECK(svg::number(-0.001) == "0");
  CHECK(svg::number(12.3456) == "12.35");
}

TEST_CASE("svg: ticks are round and hold the range") {
  const auto ticks = [](double low, double high, bool whole = false) {
    return svg::round_axis({low, high, false}, 5, whole).ticks;
  };
  CHECK(ticks(0, 1).size() == 6);
  CHECK(ticks(0.31, 0.42).front() == Approx(0.3));
  CHECK(ticks(0.31, 0.42).back() == Approx(0.45));
  CHECK(ticks(1, 3, true) == std::vector<double>{1, 2, 3});
  CHECK(ticks(-3, 4).front() == -4);
  CHECK(ticks(0.5, 0.5).size() >= 2);
  CHECK(ticks(0, 0) == std::vector<double>{-1, -0.5, 0, 0.5, 1});
  CHECK(svg::round_axis({}, 5).ticks.back() == 1);
  for (const auto& [low, high] :
       {std::pair(1e-9, 3e-9), std::pair(-1e9, 1e9), std::pair(1e15, 1e15 + 1)}) {
    const auto axis = svg::round_axis({low, high, false}, 5);
    CHECK(axis.low() <= low);
    CHECK(axis.high() >= high);
    CHECK(axis.ticks.size() < 12);
    CHECK(axis.low() < axis.high());
  }
}

TEST_CASE("svg: tick labels tell ticks apart") {
  const auto labels = [](svg::Axis axis) {
    std::vector<std::string> result;
    for (const double tick : axis.ticks) result.push_back(axis.label(tick));
    return result;
  };
  CHECK(labels(svg::round_axis({0, 1, false}, 5)) ==
        std::vector<std::string>{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  CHECK(labels(svg::round_axis({0, 250000, false}, 5)).back() == "2.5e+05");
  for (const auto& [low, high] : {std::pair(0.0, 1e-9), std::pair(0.0, 1e-3), std::pair(0.0, 7.0),
                                  std::pair(0.0, 1e6), std::pair(100001.0, 100003.0)}) {
    const auto all = labels(svg::round_axis({low, high, false}, 5));
    CHECK(std::set<std::string>(all.begin(), all.end()).size() == all.size());
  }
}

TEST_CASE("svg: series can be told apart without colour") {
  std::set<std::pair<std::size_t, std::size_t>> looks;
  for (std::size_t i = 0; i < 32; ++i) looks.emplace(svg::look(i).marker, svg::look(i).dash);
  CHECK(looks.size() == 32);
  std::set<std::string> drawn;
  for (std::size_t marker = 0; marker < 8; ++marker) {
    svg::Markup out;
    svg::draw_marker(out, {.marker = marker}, 10, 10, 4);
    xml::parse(out.str());
    drawn.insert(out.str());
  }
  CHECK(drawn.size() == 8);
}

TEST_CASE("svg: a chart has its points where its axes say") {
  const auto read = xml::parse(svg::draw(chart_of({{0, 0, "first"}, {1, 2}, {4, 10, "last"}})));
  const auto x = attributes(read, "target", "cx");
  const auto y = attributes(read, "target", "cy");
  REQUIRE(x.size() == 3);
  // A quarter and a fifth of the way from the first point to the last.
  CHECK(std::stod(x[1]) == Approx(0.75 * std::stod(x[0]) + 0.25 * std::stod(x[2])));
  CHECK(std::stod(y[1]) == Approx(0.8 * std::stod(y[0]) + 0.2 * std::stod(y[2])));
  CHECK(std::stod(y[2]) < std::stod(y[0]));  // up is less
  CHECK(read.texts("title") == std::vector<std::string>{"first", "last"});
  CHECK(attributes(read, "marker", "class").size() == 3);
  CHECK(attributes(read, "line", "d").front() ==
        "M" + x[0] + "," + y[0] + "L" + x[1] + "," + y[1] + "L" + x[2] + "," + y[2]);
}

TEST_CASE("svg: what is not finite leaves a gap") {
  const auto read = xml::parse(svg::draw(
      chart_of({{1, 1}, {2, undefined}, {3, 2}, {4, 3}, {5, infinity}, {6, 1}, {undefined, 1}})));
  CHECK(attributes(read, "target", "cx").size() == 4);
  const std::string path = attributes(read, "line", "d").front();
  CHECK(std::count(path.begin(), path.end(), 'M') == 3);
  CHECK(std::count(path.begin(), path.end(), 'L') == 1);
  CHECK(std::count(path.begin(), path.end(), 'h') == 2);  // lone points are seen
  CHECK(path.find("nan") == std::string::npos);
  CHECK(path.find("inf") == std::string::npos);

  const std::string none = svg::draw(chart_of({{1, undefined}, {2, undefined}}));
  xml::parse(none);
  CHECK(none.find("no value is defined") != std::string::npos);
}

TEST_CASE("svg: zero lines are within the picture") {
  svg::Chart chart = chart_of({{3, 5}, {4, 6}});
  CHECK(attributes(xml::parse(svg::draw(chart)), "zero", "x1").empty());
  chart.zero_lines = true;
  const auto read = xml::parse(svg::draw(chart));
  REQUIRE(attributes(read, "zero", "x1").size() == 2);
  CHECK(std::stod(attributes(read, "zero", "x1")[1]) <
        std::stod(attributes(read, "target", "cx")[0]));
}

TEST_CASE("svg: long lines have fewer markers, and a title at every point") {
  std::vector<svg::Point> points;
  for (int i = 0; i < 100; ++i) points.push_back({double(i), double(i), std::to_string(i)});
  const auto read = xml::parse(svg::draw(chart_of(points)));
  CHECK(attributes(read, "marker", "class").size() <= 16);
  CHECK(read.texts("title").size() == 100);
}

TEST_CASE("svg: a heat map's colours follow its numbers") {
  const svg::HeatMap map{
      .title = "<map>",
      .rows = {"a&b", "a long label of a row"},
      .columns = {"x", "y", "a long label of a column"},
      .cells = {{{0.5, "half"}, {-0.25}, {undefined, "none"}}, {{1}, {0}, {-0.001}}},
      .full = 1};
  const auto read = xml::parse(svg::draw(map));
  CHECK(attributes(read, "cell", "fill-opacity") ==
        std::vector<std::string>{"0.5", "0.25", "0", "1", "0", "0"});
  CHECK(attributes(read, "cell cool", "x").size() == 2);
  CHECK(read.texts("title") == std::vector<std::string>{"half", "none"});
  const auto texts = read.texts("text");
  for (const char* text : {"<map>", "a&b", "0.50", "-0.25", "1.00", "0", "0.00"})
    CHECK(std::count(texts.begin(), texts.end(), text) >= 1);
  CHECK(std::count(texts.begin(), texts.end(), "-0.00") == 0);
  CHECK(texts.size() == 1 + 2 + 3 + 5);  // no number where there is none
  xml::parse(svg::draw(svg::HeatMap{}));
}

TEST_CASE("svg: the scale of a heat map shows its ends") {
  CHECK(xml::parse(svg::heat_scale(0.8, false)).texts("text") ==
        std::vector<std::string>{"0", "0.20", "0.40", "0.60", "0.80"});
  const auto both = xml::parse(svg::heat_scale(0.8, true)).texts("text");
  CHECK(both.front() == "-0.80");
  CHECK(both.back() == "0.80");
}
