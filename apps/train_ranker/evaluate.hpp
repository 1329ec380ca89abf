// Metrics of a model on some rows of a data set.
#pragma once
#include <limits>
#include <span>
#include <vector>

#include "dataset.hpp"
#include "plait/train/trainer.hpp"

namespace ranker {

// One task's metrics; those of the other kind of task are NaN, and so is an AUC of one class only.
struct TaskScore {
  double auc = std::numeric_limits<double>::quiet_NaN();  // binary; higher is better
  double ne = std::numeric_limits<double>::quiet_NaN();   // binary: normalised entropy; lower
  double mse = std::numeric_limits<double>::quiet_NaN();  // regression; lower
  double r2 = std::numeric_limits<double>::quiet_NaN();   // regression: 1 - MSE / variance; higher

  // The metric that epochs are chosen by; higher is better.
  double value(plait::HeadKind kind) const { return kind == plait::HeadKind::binary ? auc : r2; }
};

// Of the model that the trainer trains, as it is now.
std::vector<TaskScore> evaluate(plait::Trainer<float>& trainer, const Dataset& data,
                                std::span<const Index> rows);

// Sum over tasks of TaskScore::value, without those that are NaN.
double total_value(std::span<const plait::Head> heads, std::span<const TaskScore> scores);

}  // namespace ranker
