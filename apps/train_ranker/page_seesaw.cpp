#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "format.hpp"
#include "page_sections.hpp"
#include "plait/metrics/mtl_gain.hpp"
#include "svg/chart.hpp"

namespace ranker {
namespace {

using Values = std::vector<plait::MetricValue>;

// A model in the plots. Coordinates are gains over the baseline when there is one.
struct Marks {
  const Result* result;
  const Result* baseline;  // or null
  std::size_t index;       // among all results
};

double gain_of_seed(const Values& ours, const Values* theirs, std::size_t task) {
  const plait::MetricValue& value = ours[task];
  return theirs == nullptr ? value.value
                           : plait::mtl_gain(value.value, (*theirs)[task].value, value.better);
}

std::vector<Marks> marks_of(const PageContent& content, const std::vector<Seesaw>& gains) {
  std::vector<Marks> marks;
  for (std::size_t m = 0; m < content.results.size(); ++m) {
    const Result& result = content.results[m];
    if (gains.empty()) marks.push_back({&result, nullptr, m});
    for (const Seesaw& seesaw : gains)
      if (seesaw.result == &result) marks.push_back({&result, seesaw.baseline, m});
  }
  return marks;
}

// What the marks of a model and task say: its metric as in the table, and the gain.
std::string spoken(const plait::Head& head, const std::string& value, bool has_gain, double gain) {
  return "\n" + head.name + ' ' + compared_name(head) + ' ' + value +
         (has_gain ? ", gain " + signed_fixed(gain, 4) : "");
}

class PairPlot {
 public:
  PairPlot(const PageContent& content, std::size_t x, std::size_t y)
      : content_(content), tasks_{x, y} {}

  std::string draw(const std::vector<Marks>& marks) const {
    const bool gains = !marks.empty() && marks.front().baseline != nullptr;
    svg::Chart chart;
    chart.title = head(1).name + " against " + head(0).name;
    chart.note = "up: " + axis_text(1, gains);
    chart.x_label = axis_text(0, gains);
    chart.zero_lines = gains;
    std::vector<svg::Series> means;
    for (const Marks& of : marks) {
      svg::Series seeds = seeds_of(of);
      svg::Series mean{
          .points = {mean_of(of, seeds.points)}, .look = svg::look(of.index), .line = false};
      if (seeds.points.size() > 1) chart.series.push_back(std::move(seeds));
      means.push_back(std::move(mean));
    }
    chart.series.insert(chart.series.end(), means.begin(), means.end());
    return svg::draw(chart);
  }

 private:
  const plait::Head& head(std::size_t axis) const { return content_.heads[tasks_[axis]]; }

  std::string axis_text(std::size_t axis, bool gains) const {
    const std::string metric = head(axis).name + ' ' + compared_name(head(axis));
    if (gains) return "gain in " + metric + " over " + content_.baseline;
    const bool higher = head(axis).kind == plait::HeadKind::binary;
    return metric + (higher ? ", higher is better" : ", lower is better");
  }

  svg::Series seeds_of(const Marks& of) const {
    svg::Series series{
        .points = {}, .look = svg::look(of.index), .line = false, .markers = true, .faint = true};
    for (std::size_t r = 0; r < of.result->runs.size(); ++r) {
      const Run& run = of.result->runs[r];
      const Values ours = compared_metrics(content_.heads, run);
      Values theirs;
      if (of.baseline) theirs = compared_metrics(content_.heads, of.baseline->runs[r]);
      svg::Point point{.title = of.result->model + ", seed " + std::to_string(run.seed)};
      double coordinates[2];
      for (std::size_t axis = 0; axis < 2; ++axis) {
        const std::size_t t = tasks_[axis];
        coordinates[axis] = gain_of_seed(ours, of.baseline ? &theirs : nullptr, t);
        point.title +=
            spoken(head(axis), fixed(ours[t].value, 4), of.baseline != nullptr, coordinates[axis]);
      }
      point.x = coordinates[0];
      point.y = coordinates[1];
      series.points.push_back(std::move(point));
    }
    return series;
  }

  // NaN where a seed's is.
  svg::Point mean_of(const Marks& of, const std::vector<svg::Point>& seeds) const {
    if (seeds.size() == 1) return seeds.front();
    svg::Point mean{.title =
                        of.result->model + ", mean of " + std::to_string(seeds.size()) + " seeds"};
    for (const svg::Point& seed : seeds) {
      mean.x += seed.x / static_cast<double>(seeds.size());
      mean.y += seed.y / static_cast<double>(seeds.size());
    }
    const double coordinates[2] = {mean.x, mean.y};
    for (std::size_t axis = 0; axis < 2; ++axis) {
      std::vector<double> values;
      for (const Run& run : of.result->runs)
        values.push_back(compared_metrics(content_.heads, run)[tasks_[axis]].value);
      mean.title += spoken(head(axis), spread_text(spread(values)), of.baseline != nullptr,
                           coordinates[axis]);
    }
    return mean;
  }

  const PageContent& content_;
  std::size_t tasks_[2];
};

Table gains_table(const PageContent& content, const std::vector<Seesaw>& gains) {
  Table table;
  table.header = {"model"};
  for (const plait::Head& head : content.heads)
    table.header.push_back(head.name + ' ' + compared_name(head));
  table.header.push_back("gained, lost, unclear");
  for (const auto& [result, baseline, report] : gains) {
    std::vector<std::string> row{result->model};
    for (const plait::TaskGain& gain : report.gains)
      row.push_back(signed_fixed(gain.gain, 4) + ' ' +
                    plait::SeesawReport::verdict_name(gain.verdict));
    row.push_back(std::to_string(report.count(plait::Verdict::gained)) + ", " +
                  std::to_string(report.count(plait::Verdict::lost)) + ", " +
                  std::to_string(report.count(plait::Verdict::unclear)) +
                  (report.seesaws() ? ": a seesaw" : ""));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

void add_seesaw(svg::Markup& page, const PageContent& content) {
  if (content.results.empty()) return;
  const auto gains = seesaws(content.heads, content.results, content.baseline);
  if (gains.empty() && content.heads.size() < 2) return;
  page.element("h2", {}, "Task against task");
  if (!gains.empty()) {
    page.element("p", {{"class", "note"}},
                 "Mean gain over " + content.baseline +
                     " with the same seed; positive is better. Gained or lost: by more than two "
                     "standard errors of the seeds; with one seed there is no telling.");
    add_table(page, gains_table(content, gains));
  }
  if (content.heads.size() < 2) return;
  page.element("p", {{"class", "note"}},
               gains.empty() ? "Test rows; small marks are seeds, large ones their mean."
                             : "Up and right of the dotted lines both tasks gain; where one gains "
                               "what the other loses, the seesaw tips. Small marks are seeds, "
                               "large ones their mean.");
  const auto marks = marks_of(content, gains);
  std::vector<std::size_t> shown;
  for (const Marks& of : marks) shown.push_back(of.index);
  add_legend(page, content, shown);
  page.open("div", {{"class", "charts"}});
  for (std::size_t x = 0; x < content.heads.size(); ++x)
    for (std::size_t y = x + 1; y < content.heads.size(); ++y)
      page.raw(PairPlot(content, x, y).draw(marks));
  page.close();
}

}  // namespace ranker
