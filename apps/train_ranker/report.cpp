#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "format.hpp"
#include "plait/core/csv.hpp"
#include "plait/metrics/mtl_gain.hpp"
#include "precision_report.hpp"

namespace ranker {
namespace {

using Number = std::function<double(const Run&)>;

struct Metric {
  std::string name;
  Number number;
};

constexpr int metric_digits = 4;

// What both tables show of a run, in order of their columns.
std::vector<Metric> test_metrics(std::span<const plait::Head> heads) {
  std::vector<Metric> metrics;
  for (std::size_t t = 0; t < heads.size(); ++t) {
    if (heads[t].kind == plait::HeadKind::binary) {
      metrics.push_back({heads[t].name + " AUC", [t](const Run& run) { return run.test[t].auc; }});
      metrics.push_back({heads[t].name + " NE", [t](const Run& run) { return run.test[t].ne; }});
    } else {
      metrics.push_back({heads[t].name + " MSE", [t](const Run& run) { return run.test[t].mse; }});
    }
  }
  return metrics;
}

// What bf16 costs, if a run was measured.
std::vector<Metric> precision_metrics(std::span<const plait::Head> heads,
                                      std::span<const Result> results) {
  if (!has_precision(results)) return {};
  std::vector<Metric> metrics;
  for (std::size_t t = 0; t < heads.size(); ++t) {
    const auto add = [&](const char* name, double TaskCost::*number) {
      metrics.push_back({heads[t].name + ' ' + name, [t, number](const Run& run) {
                           return run.precision.empty() ? std::numeric_limits<double>::quiet_NaN()
                                                        : run.precision[t].*number;
                         }});
    };
    if (heads[t].kind == plait::HeadKind::binary) {
      add("bf16 NE change percent", &TaskCost::loss_change);
      add("bf16 AUC change", &TaskCost::auc_change);
      add("calibration", &TaskCost::calibration);
      add("bf16 calibration change percent", &TaskCost::calibration_change);
    } else {
      add("bf16 MSE change percent", &TaskCost::loss_change);
    }
  }
  return metrics;
}

Spread over_runs(const Result& result, const Number& number) {
  std::vector<double> numbers;
  for (const Run& run : result.runs) numbers.push_back(number(run));
  return spread(numbers);
}

double mean_seconds(const Result& result) {
  return over_runs(result, [](const Run& run) { return run.seconds_per_epoch; }).mean;
}
double mean_rate(const Result& result) {
  return over_runs(result, [](const Run& run) { return run.rows_per_second; }).mean;
}

// NaN when the baseline was not trained.
double gain_over(std::span<const plait::Head> heads, const Result& result,
                 std::span<const Result> results, const std::string& baseline) {
  for (const Result& candidate : results)
    if (candidate.model == baseline) return gain(heads, result, candidate);
  return std::numeric_limits<double>::quiet_NaN();
}

// "gained 2, lost 1, unclear 0: a seesaw; relative gain -3.1743 % (spread 2.0401 %), 2 seeds"
std::string summary(const plait::SeesawReport& report) {
  const auto count = [&](plait::Verdict verdict) { return std::to_string(report.count(verdict)); };
  const std::string spread =
      report.seeds > 1 ? " (spread " + fixed(100 * report.relative_spread, metric_digits) + " %)"
                       : "";
  return "gained " + count(plait::Verdict::gained) + ", lost " + count(plait::Verdict::lost) +
         ", unclear " + count(plait::Verdict::unclear) + (report.seesaws() ? ": a seesaw" : "") +
         "; relative gain " + signed_fixed(100 * report.relative_gain, metric_digits) + " %" +
         spread + ", " + std::to_string(report.seeds) + (report.seeds == 1 ? " seed" : " seeds");
}

std::string exact(double value) { return plait::general_number(value, 9); }

}  // namespace

Spread spread(std::span<const double> numbers) {
  const auto count = static_cast<double>(numbers.size());
  Spread result;
  for (const double number : numbers) result.mean += number / count;
  for (const double number : numbers)
    result.deviation += (number - result.mean) * (number - result.mean);
  result.deviation = numbers.size() < 2 ? std::numeric_limits<double>::quiet_NaN()
                                        : std::sqrt(result.deviation / (count - 1));
  return result;
}

std::string spread_text(const Spread& spread, std::string_view plus_minus) {
  std::string text = fixed(spread.mean, metric_digits);
  if (!std::isnan(spread.deviation))
    text.append(" ").append(plus_minus).append(" ") += fixed(spread.deviation, metric_digits);
  return text;
}

std::vector<plait::MetricValue> compared_metrics(std::span<const plait::Head> heads,
                                                 const Run& run) {
  std::vector<plait::MetricValue> values;
  for (std::size_t t = 0; t < heads.size(); ++t) {
    if (heads[t].kind == plait::HeadKind::binary)
      values.push_back({heads[t].name, "auc", run.test[t].auc, plait::Better::higher});
    else
      values.push_back({heads[t].name, "mse", run.test[t].mse, plait::Better::lower});
  }
  return values;
}

double gain(std::span<const plait::Head> heads, const Result& result, const Result& baseline) {
  std::vector<double> multi;
  std::vector<double> single;
  std::vector<plait::Better> better;
  for (std::size_t t = 0; t < heads.size(); ++t) {
    const bool binary = heads[t].kind == plait::HeadKind::binary;
    const Number number = [t, binary](const Run& run) {
      return binary ? run.test[t].auc : run.test[t].mse;
    };
    const double ours = over_runs(result, number).mean;
    const double theirs = over_runs(baseline, number).mean;
    if (std::isnan(ours) || std::isnan(theirs)) continue;
    multi.push_back(ours);
    single.push_back(theirs);
    better.push_back(binary ? plait::Better::higher : plait::Better::lower);
  }
  return 100 * plait::delta_m(multi, single, better);
}

Table result_table(std::span<const plait::Head> heads, std::span<const Result> results,
                   const std::string& baseline, std::string_view plus_minus) {
  const auto metrics = test_metrics(heads);
  Table table;
  table.header = {"model", "parameters"};
  for (const Metric& metric : metrics) table.header.push_back(metric.name);
  table.header.insert(table.header.end(), {"gain %", "s/epoch", "rows/s"});
  for (const Result& result : results) {
    std::vector<std::string> row{result.model, grouped(result.parameters)};
    for (const Metric& metric : metrics)
      row.push_back(spread_text(over_runs(result, metric.number), plus_minus));
    row.push_back(signed_fixed(gain_over(heads, result, results, baseline), 2));
    row.push_back(fixed(mean_seconds(result), 2));
    row.push_back(grouped(static_cast<Index>(mean_rate(result))));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<Seesaw> seesaws(std::span<const plait::Head> heads, std::span<const Result> results,
                            const std::string& baseline) {
  const auto single = std::find_if(results.begin(), results.end(),
                                   [&](const Result& result) { return result.model == baseline; });
  if (single == results.end()) return {};
  const auto values = [&](const Result& result) {
    std::vector<std::vector<plait::MetricValue>> runs;
    for (const Run& run : result.runs) runs.push_back(compared_metrics(heads, run));
    return runs;
  };
  std::vector<Seesaw> found;
  for (const Result& result : results)
    if (result.model != baseline &&
        std::ranges::equal(result.runs, single->runs, {}, &Run::seed, &Run::seed))
      found.push_back({&result, &*single, plait::seesaw_report(values(result), values(*single))});
  return found;
}

std::string seesaw_text(std::span<const plait::Head> heads, std::span<const Result> results,
                        const std::string& baseline, int width) {
  std::string text;
  for (const auto& [result, single, report] : seesaws(heads, results, baseline)) {
    std::size_t widest = 4;
    for (const plait::TaskGain& gain : report.gains) widest = std::max(widest, width_of(gain.task));
    const auto first_column = [&](const std::string& task, const std::string& metric) {
      return task + std::string(widest + 2 - width_of(task), ' ') + metric;
    };
    Table table{{first_column("task", "metric"), "single", "multi", "gain", "spread", "verdict"},
                {}};
    for (const plait::TaskGain& gain : report.gains)
      table.rows.push_back(
          {first_column(gain.task, gain.metric), fixed(gain.single, metric_digits),
           fixed(gain.multi, metric_digits), signed_fixed(gain.gain, metric_digits),
           fixed(gain.spread, metric_digits), plait::SeesawReport::verdict_name(gain.verdict)});
    text += '\n' + wrapped(result->model + " against " + baseline + ":", width) +
            to_text(table, width) + wrapped(summary(report), width);
  }
  return text;
}

Table result_csv(std::span<const plait::Head> heads, std::span<const Result> results,
                 const std::string& baseline) {
  auto metrics = test_metrics(heads);
  for (Metric& metric : precision_metrics(heads, results)) metrics.push_back(std::move(metric));
  Table table;
  table.header = {"model", "parameters", "seeds"};
  for (const Metric& metric : metrics) {
    table.header.push_back(metric.name);
    table.header.push_back(metric.name + " deviation");
  }
  table.header.insert(table.header.end(), {"gain percent", "seconds per epoch", "rows per second"});
  for (const Result& result : results) {
    std::vector<std::string> row{result.model, std::to_string(result.parameters),
                                 std::to_string(result.runs.size())};
    for (const Metric& metric : metrics) {
      const Spread s = over_runs(result, metric.number);
      row.push_back(exact(s.mean));
      row.push_back(exact(s.deviation));
    }
    row.push_back(exact(gain_over(heads, result, results, baseline)));
    row.push_back(exact(mean_seconds(result)));
    row.push_back(exact(mean_rate(result)));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace ranker
