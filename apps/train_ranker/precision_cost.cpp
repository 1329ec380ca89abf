#include "precision_cost.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "batch.hpp"
#include "evaluate.hpp"
#include "plait/model/model.hpp"
#include "plait/model/precision.hpp"
#include "plait/serve/scorer.hpp"

namespace ranker {
namespace {

// Also where nothing can be divided by.
double percent_change(double from, double to) { return from == to ? 0 : 100 * (to - from) / from; }

}  // namespace

double largest_change(std::span<const TaskCost> tasks) {
  double largest = 0;
  for (const TaskCost& task : tasks)
    if (!std::isnan(task.loss_change)) largest = std::max(largest, std::abs(task.loss_change));
  return largest;
}

PrecisionTrial::PrecisionTrial(const plait::Model<float>& model, const Dataset& data,
                               std::span<const Index> rows,
                               const plait::EmbeddingTables<float>* tables)
    : model_(model), data_(data), rows_(rows), tables_(tables), full_(scored(false, {})) {
  const auto reduced = plait::reduced_weights<float>(model.table(), plait::Precision::bf16, {});
  for (std::size_t i = 0; i < reduced.size(); ++i)
    if (reduced[i]) weights_.push_back(model.table().entries()[i].name);
}

std::vector<TaskCost> PrecisionTrial::costs(const std::vector<std::string>& keep) const {
  std::vector<TaskCost> tasks = scored(true, keep);
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    const TaskCost& full = full_[t];
    tasks[t] = {.loss = full.loss,
                .loss_change = percent_change(full.loss, tasks[t].loss),
                .auc = full.auc,
                .auc_change = tasks[t].auc - full.auc,
                .calibration = full.calibration,
                .calibration_change = percent_change(full.calibration, tasks[t].calibration)};
  }
  return tasks;
}

std::vector<TaskCost> PrecisionTrial::scored(bool reduced,
                                             const std::vector<std::string>& keep) const {
  const auto precision = reduced ? plait::Precision::bf16 : plait::Precision::full;
  const plait::Scorer<float> scorer(model_, {.precision = precision, .keep = keep});
  auto context = scorer.context();
  NetworkInput input(tables_);
  const auto values = measure(
      "Scorer",
      [&](const plait::BatchArgument<float>& x, plait::View3<float> logits) {
        context.score(input(x), logits);
      },
      data_, rows_);
  std::vector<TaskCost> tasks(data_.heads.size());
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    for (const auto& [task, name, value, better] : values) {
      if (task != data_.heads[t].name) continue;
      if (name == "normalized_entropy" || name == "mse") tasks[t].loss = value;
      if (name == "auc") tasks[t].auc = value;
      if (name == "calibration") tasks[t].calibration = value;
    }
  }
  return tasks;
}

std::vector<WeightCost> weight_costs(const PrecisionTrial& trial) {
  std::vector<WeightCost> costs;
  for (const std::string& name : trial.weights()) {
    std::vector<std::string> others = trial.weights();
    std::erase(others, name);
    costs.push_back({name, trial.costs(others)});
  }
  std::ranges::stable_sort(costs, std::ranges::greater(),
                           [](const WeightCost& cost) { return largest_change(cost.tasks); });
  return costs;
}

KeepList keep_within(const PrecisionTrial& trial, std::span<const WeightCost> weights,
                     double bound) {
  KeepList keep{.bound = bound, .tasks = trial.costs()};
  for (const WeightCost& weight : weights) {
    if (largest_change(keep.tasks) <= bound) break;
    keep.names.push_back(weight.name);
    keep.tasks = trial.costs(keep.names);
  }
  return keep;
}

}  // namespace ranker
