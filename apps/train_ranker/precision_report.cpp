#include "precision_report.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "format.hpp"
#include "plait/core/csv.hpp"

namespace ranker {
namespace {

constexpr int digits = 4;
constexpr int auc_digits = 6;  // a change of 1e-5 is large

bool binary(const plait::Head& head) { return head.kind == plait::HeadKind::binary; }

using Change = std::string (*)(double value, int digits);

std::vector<std::string> row_of(std::string name, const plait::Head& head, const TaskCost& cost,
                                Change change) {
  return {std::move(name),
          (binary(head) ? "NE " : "MSE ") + fixed(cost.loss, digits),
          change(cost.loss_change, digits),
          fixed(cost.auc, digits),
          change(cost.auc_change, auc_digits),
          fixed(cost.calibration, digits),
          change(cost.calibration_change, digits)};
}

// The mean over the runs, of changes that of their sizes.
TaskCost mean_cost(const std::vector<TaskCost>& costs) {
  const auto mean = [&](double TaskCost::*number, bool size) {
    double sum = 0;
    for (const TaskCost& cost : costs) sum += size ? std::abs(cost.*number) : cost.*number;
    return sum / static_cast<double>(costs.size());
  };
  return {.loss = mean(&TaskCost::loss, false),
          .loss_change = mean(&TaskCost::loss_change, true),
          .auc = mean(&TaskCost::auc, false),
          .auc_change = mean(&TaskCost::auc_change, true),
          .calibration = mean(&TaskCost::calibration, false),
          .calibration_change = mean(&TaskCost::calibration_change, true)};
}

std::string percent(double value) { return plait::general_number(value, 6) + " %"; }

}  // namespace

bool has_precision(std::span<const Result> results) {
  return std::ranges::any_of(results, [](const Result& result) { return result.keep.has_value(); });
}

std::uint64_t weights_seed(const Result& result) {
  return std::ranges::find_if(result.runs, [](const Run& run) { return !run.precision.empty(); })
      ->seed;
}

std::string precision_note() {
  return "Test rows, full precision and the change by bf16. loss: NE (binary) or MSE (regression). "
         "pred/label: mean prediction over mean label. all: mean over the seeds, of changes the "
         "mean of their sizes.";
}

Table precision_table(std::span<const plait::Head> heads, const Result& result) {
  Table table{{"task", "loss", "change %", "AUC", "change", "pred/label", "change %"}, {}};
  for (std::size_t t = 0; t < heads.size(); ++t) {
    std::vector<TaskCost> costs;
    for (const Run& run : result.runs) {
      if (run.precision.empty()) continue;
      costs.push_back(run.precision[t]);
      table.rows.push_back(row_of(heads[t].name + ", " + std::to_string(run.seed), heads[t],
                                  costs.back(), signed_fixed));
    }
    if (costs.size() > 1)
      table.rows.push_back(row_of(heads[t].name + ", all", heads[t], mean_cost(costs), fixed));
  }
  return table;
}

Table weight_table(std::span<const plait::Head> heads, const Result& result) {
  Table table{{"weight"}, {}};
  for (const plait::Head& head : heads) table.header.push_back(head.name);
  for (const WeightCost& weight : result.weights) {
    std::vector<std::string> row{weight.name};
    for (const TaskCost& task : weight.tasks) row.push_back(signed_fixed(task.loss_change, digits));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string keep_summary(const Result& result) {
  const KeepList& keep = *result.keep;
  const std::string within = "within " + percent(keep.bound) + " (largest " +
                             fixed(largest_change(keep.tasks), digits) + " %)";
  if (keep.names.empty()) return "Every loss is " + within + " with nothing kept.";
  return "Every loss is " + within + " when " + std::to_string(keep.names.size()) + " of " +
         std::to_string(result.weights.size()) + " weights stay in full precision:";
}

std::string keep_code(const KeepList& keep) {
  std::string names;
  for (const std::string& name : keep.names) names += (names.empty() ? "\"" : ", \"") + name + '"';
  return names.empty() ? "" : ".keep = {" + names + "}";
}

std::string precision_text(std::span<const plait::Head> heads, std::span<const Result> results,
                           int width) {
  std::string text;
  for (const Result& result : results) {
    if (!result.keep) continue;
    const std::string seed = std::to_string(weights_seed(result));
    text += '\n' + wrapped(result.model + " in bf16, by task and seed:", width) +
            to_text(precision_table(heads, result), width) + '\n' +
            wrapped(result.model + ", seed " + seed +
                        ", one weight in bf16 and no other: change of the loss in %",
                    width) +
            to_text(weight_table(heads, result), width) + '\n' +
            wrapped(keep_summary(result), width);
    const std::string code = keep_code(*result.keep);
    if (!code.empty()) text += wrapped(code, width);
  }
  return text.empty() ? text : text + '\n' + wrapped(precision_note(), width);
}

}  // namespace ranker
