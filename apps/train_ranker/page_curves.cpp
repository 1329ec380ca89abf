#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "format.hpp"
#include "page_sections.hpp"
#include "svg/chart.hpp"

namespace ranker {
namespace {

struct Curve {
  std::string title;
  std::string note;
  std::function<double(const Epoch&)> number;
};

std::vector<Curve> curves_of(std::span<const plait::Head> heads) {
  std::vector<Curve> curves{{"Training loss", "sum over the tasks, mean over the epoch's rows",
                             [](const Epoch& epoch) { return epoch.loss; }}};
  for (std::size_t t = 0; t < heads.size(); ++t) {
    const auto add = [&](const char* metric, const char* note, double TaskScore::*member) {
      curves.push_back({heads[t].name + ": validation " + metric, note,
                        [t, member](const Epoch& epoch) { return epoch.validation[t].*member; }});
    };
    if (heads[t].kind == plait::HeadKind::binary) {
      add("NE", "log loss over that of the mean label; lower is better", &TaskScore::ne);
      add("AUC", "0.5 is chance, 1 perfect order", &TaskScore::auc);
    } else {
      add("MSE", "squared unit of the label; lower is better", &TaskScore::mse);
      add("R2", "share of the variance; 1 is perfect", &TaskScore::r2);
    }
  }
  return curves;
}

std::string title_of(const std::string& whose, int epoch, double value) {
  return whose + ", epoch " + std::to_string(epoch) + ": " + fixed(value, 4);
}

svg::Series of_run(const Result& result, const Run& run, const Curve& curve) {
  svg::Series series;
  for (const Epoch& epoch : run.curve) {
    const double value = curve.number(epoch);
    std::string title =
        title_of(result.model + ", seed " + std::to_string(run.seed), epoch.number, value);
    if (epoch.number == run.best_epoch) title += " (the epoch that is tested)";
    series.points.push_back({static_cast<double>(epoch.number), value, std::move(title)});
  }
  return series;
}

// Over the epochs that all runs have; NaN where a run's value is.
svg::Series mean_of_runs(const Result& result, const Curve& curve) {
  std::map<int, std::vector<double>> by_epoch;
  for (const Run& run : result.runs)
    for (const Epoch& epoch : run.curve) by_epoch[epoch.number].push_back(curve.number(epoch));
  svg::Series series;
  for (const auto& [epoch, values] : by_epoch) {
    if (values.size() < result.runs.size()) continue;
    const double mean = spread(values).mean;
    series.points.push_back(
        {static_cast<double>(epoch), mean,
         title_of(result.model + ", mean of " + std::to_string(values.size()) + " seeds", epoch,
                  mean)});
  }
  return series;
}

std::string draw(const PageContent& content, const Curve& curve) {
  svg::Chart chart{.title = curve.title, .note = curve.note, .x_label = "epoch", .whole_x = true};
  std::vector<svg::Series> means;
  for (std::size_t m = 0; m < content.results.size(); ++m) {
    const Result& result = content.results[m];
    const bool one = result.runs.size() == 1;
    for (const Run& run : result.runs) {
      svg::Series series = of_run(result, run, curve);
      series.look = svg::look(m);
      series.markers = one;
      series.faint = !one;
      (one ? means : chart.series).push_back(std::move(series));
    }
    if (one) continue;
    means.push_back(mean_of_runs(result, curve));
    means.back().look = svg::look(m);
  }
  std::move(means.begin(), means.end(), std::back_inserter(chart.series));
  return svg::draw(chart);
}

}  // namespace

void add_curves(svg::Markup& page, const PageContent& content) {
  if (content.results.empty()) return;
  page.element("h2", {}, "Curves");
  const bool several = std::any_of(content.results.begin(), content.results.end(),
                                   [](const Result& result) { return result.runs.size() > 1; });
  page.element("p", {{"class", "note"}},
               several ? "The mean over the seeds, and every seed as a thin line behind it."
                       : "A line per model.");
  std::vector<std::size_t> all(content.results.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  add_legend(page, content, all);
  // The loss in a row of its own, so that every task has one, too.
  const auto curves = curves_of(content.heads);
  page.open("div", {{"class", "charts"}}).raw(draw(content, curves.front())).close();
  page.open("div", {{"class", "charts"}});
  for (const Curve& curve : std::span(curves).subspan(1)) page.raw(draw(content, curve));
  page.close();
}

}  // namespace ranker
