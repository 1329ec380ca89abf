// Seesaw report: which tasks a multi-task model serves better than single-task models do, and which
// worse, told apart from the luck of the seeds.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"
#include "plait/metrics/metric_value.hpp"
#include "plait/metrics/mtl_gain.hpp"

namespace plait {

enum class Verdict { gained, lost, unclear };

// One metric of one task, over the seeds.
struct TaskGain {
  std::string task;
  std::string metric;
  double single = 0;  // mean of the single-task models
  double multi = 0;   // mean of the multi-task models
  double gain = 0;    // mean of mtl_gain: positive is better
  double spread = 0;  // sample standard deviation of the seeds' gains; NaN for one seed
  Verdict verdict = Verdict::unclear;
};

struct SeesawReport {
  std::vector<TaskGain> gains;  // in the order of the metrics
  Index seeds = 0;
  double relative_gain = 0;    // Δm, the mean of the seeds'; see delta_m
  double relative_spread = 0;  // sample standard deviation of the seeds' Δm

  Index count(Verdict verdict) const {
    return std::ranges::count(gains, verdict, &TaskGain::verdict);
  }
  // True when something was gained and something else lost: the seesaw phenomenon of PLE (Tang et
  // al., RecSys 2020).
  bool seesaws() const { return count(Verdict::gained) > 0 && count(Verdict::lost) > 0; }

  // A table of one line per metric, with a line that sums it up.
  std::string text(int digits = 4) const {
    std::size_t task_width = 4;
    std::size_t metric_width = 6;
    for (const TaskGain& g : gains) {
      task_width = (std::max)(task_width, g.task.size());
      metric_width = (std::max)(metric_width, g.metric.size());
    }
    std::string out;
    const auto pad = [&](std::size_t width, std::size_t length) {
      if (length < width) out.append(width - length, ' ');
    };
    const auto name = [&](const std::string& words, std::size_t width) {
      out += words;
      pad(width + 2, words.size());
    };
    const auto cell = [&](const std::string& words) {
      pad(static_cast<std::size_t>(digits + 6), words.size());
      out += words + "  ";
    };
    name("task", task_width);
    name("metric", metric_width);
    for (const char* column : {"single", "multi", "gain", "spread"}) cell(column);
    out += "verdict\n";
    for (const TaskGain& g : gains) {
      name(g.task, task_width);
      name(g.metric, metric_width);
      cell(fixed_number(g.single, digits));
      cell(fixed_number(g.multi, digits));
      cell(signed_number(g.gain, digits));
      cell(fixed_number(g.spread, digits));
      out.append(verdict_name(g.verdict)) += '\n';
    }
    return out + plait::text("gained ", count(Verdict::gained), ", lost ", count(Verdict::lost),
                             ", unclear ", count(Verdict::unclear), seesaws() ? ": a seesaw" : "",
                             "; relative gain ", signed_number(100 * relative_gain, digits),
                             " % (spread ", fixed_number(100 * relative_spread, digits), " %), ",
                             seeds, seeds == 1 ? " seed\n" : " seeds\n");
  }

  static std::string signed_number(double value, int digits) {
    return (std::isnan(value) || std::signbit(value) ? "" : "+") + fixed_number(value, digits);
  }
  static const char* verdict_name(Verdict verdict) {
    return verdict == Verdict::gained ? "gained" : verdict == Verdict::lost ? "lost" : "unclear";
  }
};

// Compares runs of a multi-task model with runs of single-task models, multi[i] and single[i] being
// all metrics of the runs with the i-th seed (TaskMetrics::values, or first_of_each_task of them,
// so that a task counts once in Δm). A metric has gained or lost when the mean of its gains is more
// than `standard_errors` standard errors of the mean away from 0; with one seed there is no
// telling. A metric that is NaN in some run is unclear, and left out of Δm.
//
// Throws ShapeError unless there are as many runs of both, at least one, with the same metrics.
inline SeesawReport seesaw_report(std::span<const std::vector<MetricValue>> multi,
                                  std::span<const std::vector<MetricValue>> single,
                                  double standard_errors = 2) {
  const char* where = "seesaw_report";
  if (multi.empty() || multi.size() != single.size())
    throw ShapeError(where, "multi, single", text(multi.size(), " and ", single.size(), " runs"),
                     "as many of each, at least one");
  const std::vector<MetricValue>& first = multi.front();
  const auto same = [](const MetricValue& a, const MetricValue& b) {
    return a.task == b.task && a.name == b.name && a.better == b.better;
  };
  for (const auto& runs : {multi, single})
    for (std::size_t i = 0; i < runs.size(); ++i)
      if (!std::equal(runs[i].begin(), runs[i].end(), first.begin(), first.end(), same))
        throw ShapeError(where, text("run ", i), "other metrics", "those of the first run");

  const auto seeds = static_cast<double>(multi.size());
  // Mean and sample standard deviation over the seeds.
  const auto over_seeds = [&](const auto& number) {
    double mean = 0;
    double squares = 0;
    for (std::size_t i = 0; i < multi.size(); ++i) mean += number(i) / seeds;
    for (std::size_t i = 0; i < multi.size(); ++i) squares += std::pow(number(i) - mean, 2);
    return std::pair(mean, multi.size() > 1 ? std::sqrt(squares / (seeds - 1))
                                            : std::numeric_limits<double>::quiet_NaN());
  };
  SeesawReport report;
  report.seeds = std::ssize(multi);
  std::vector<std::size_t> defined;
  std::vector<Better> better;
  for (std::size_t m = 0; m < first.size(); ++m) {
    TaskGain result{.task = first[m].task, .metric = first[m].name};
    result.single = over_seeds([&](std::size_t i) { return single[i][m].value; }).first;
    result.multi = over_seeds([&](std::size_t i) { return multi[i][m].value; }).first;
    std::tie(result.gain, result.spread) = over_seeds([&](std::size_t i) {
      return mtl_gain(multi[i][m].value, single[i][m].value, first[m].better);
    });
    const double margin = standard_errors * result.spread / std::sqrt(seeds);
    if (result.gain > margin) result.verdict = Verdict::gained;
    if (result.gain < -margin) result.verdict = Verdict::lost;
    if (!std::isnan(result.gain)) {
      defined.push_back(m);
      better.push_back(first[m].better);
    }
    report.gains.push_back(std::move(result));
  }
  std::tie(report.relative_gain, report.relative_spread) = over_seeds([&](std::size_t i) {
    std::vector<double> of_multi, of_single;
    for (const std::size_t m : defined) {
      of_multi.push_back(multi[i][m].value);
      of_single.push_back(single[i][m].value);
    }
    return delta_m(of_multi, of_single, better);
  });
  return report;
}

}  // namespace plait
