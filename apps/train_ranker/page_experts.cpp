#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "format.hpp"
#include "page_sections.hpp"
#include "svg/heat_map.hpp"

namespace ranker {
namespace {

// The colours of one kind of weight, the same on the whole page.
struct Colours {
  double full = 0;
  bool negative = false;
};

Colours colours_of(std::span<const Result> results, plait::Matrix<double> LevelMap::*weights) {
  Colours colours;
  for (const Result& result : results) {
    for (const LevelMap& map : result.experts) {
      for (const double weight : (map.*weights).reshaped()) {
        if (!std::isfinite(weight)) continue;
        colours.full = std::max(colours.full, std::abs(weight));
        colours.negative = colours.negative || weight < 0;
      }
    }
  }
  return colours;
}

std::string draw(const LevelMap& map, const plait::Matrix<double>& weights, const std::string& kind,
                 double full) {
  const bool blocks = map.level == 0;
  const std::string what = (blocks ? "blocks" : "level " + std::to_string(map.level)) + ", " + kind;
  svg::HeatMap picture{.title = (blocks ? 'B' : 'L') + what.substr(1),
                       .rows = map.units,
                       .columns = map.experts,
                       .cells = {},
                       .full = full};
  for (Index u = 0; u < weights.rows(); ++u) {
    std::vector<svg::HeatCell> row;
    for (Index e = 0; e < weights.cols(); ++e)
      row.push_back({weights(u, e), what + "\n" + map.units[static_cast<std::size_t>(u)] + ", " +
                                        (blocks ? "block " : "expert ") + std::to_string(e + 1) +
                                        " (" + map.experts[static_cast<std::size_t>(e)] +
                                        "): " + fixed(weights(u, e), 4)});
    picture.cells.push_back(std::move(row));
  }
  return svg::draw(picture);
}

void add_scale(svg::Markup& page, const std::string& kind, const Colours& colours) {
  if (colours.full == 0) return;
  page.open("div").element("p", {{"class", "note"}}, kind);
  page.raw(svg::heat_scale(colours.full, colours.negative)).close();
}

}  // namespace

void add_experts(svg::Markup& page, const PageContent& content) {
  const auto has_maps = [](const Result& result) { return !result.experts.empty(); };
  if (!std::any_of(content.results.begin(), content.results.end(), has_maps)) return;
  const Colours gates = colours_of(content.results, &LevelMap::gates);
  const Colours statics = colours_of(content.results, &LevelMap::statics);
  Colours drawn = colours_of(content.results, &LevelMap::drawn);
  if (drawn.full > 0) drawn.full = 1;  // near 0 and near 1 is what matters
  page.element("h2", {}, "Experts");
  page.element(
      "p", {{"class", "note"}},
      "What the tasks (rows) give the experts of every level (columns): the gates' "
      "weights as a mean over the test rows, which sum to 1 in a row, and the weights "
      "that do not depend on the input (native-expert weights, stitches). Where training "
      "draws what a task takes: the probability that it is connected to an expert (SNR), "
      "takes it and no other (learning to branch), executes a block (AdaShare). Of the first "
      "seed; experts of different seeds do not correspond. Models and levels without a "
      "choice among experts are left out.");
  page.open("div", {{"class", "maps"}});
  add_scale(page, "Gate", gates);
  add_scale(page, "Static", statics);
  add_scale(page, "Probability", drawn);
  page.close();
  for (const Result& result : content.results) {
    if (!has_maps(result)) continue;
    page.element("h3", {}, result.model + ", seed " + std::to_string(result.runs.front().seed));
    for (const LevelMap& map : result.experts) {
      page.open("div", {{"class", "maps"}});
      if (map.gates.size() > 0) page.raw(draw(map, map.gates, "mean gate weights", gates.full));
      if (map.statics.size() > 0) page.raw(draw(map, map.statics, "static weights", statics.full));
      if (map.drawn.size() > 0) page.raw(draw(map, map.drawn, "probabilities", drawn.full));
      page.close();
    }
  }
}

}  // namespace ranker
