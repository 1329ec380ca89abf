// What it costs a trained model to be scored in bf16: of its quality, as a whole and weight by
// weight, and which weights to keep for a bound.
#pragma once
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "dataset.hpp"

namespace plait {
template <class Scalar>
class Model;
template <class Scalar>
class EmbeddingTables;
}  // namespace plait

namespace ranker {

// One task's, in full precision and what bf16 adds to it. NaN where there is none: AUC and
// calibration are those of binary tasks.
struct TaskCost {
  double loss = std::numeric_limits<double>::quiet_NaN();  // NE of a binary task, MSE of regression
  double loss_change = std::numeric_limits<double>::quiet_NaN();  // percent of it
  double auc = std::numeric_limits<double>::quiet_NaN();
  double auc_change = std::numeric_limits<double>::quiet_NaN();
  double calibration = std::numeric_limits<double>::quiet_NaN();  // mean prediction / mean label
  double calibration_change = std::numeric_limits<double>::quiet_NaN();  // percent of it
};

// The largest |loss_change| of the tasks that have one, or 0.
double largest_change(std::span<const TaskCost> tasks);

// With one weight in bf16 and all others kept.
struct WeightCost {
  std::string name;
  std::vector<TaskCost> tasks;
};

// What to give ScorerOptions::keep, and the costs that are left.
struct KeepList {
  double bound = 0;  // of |loss_change|, in percent
  std::vector<std::string> names = {};
  std::vector<TaskCost> tasks = {};
};

// Scores a model on some rows, by plait::Scorer.
class PrecisionTrial {
 public:
  // The referents must outlive it; no tables where the data have no ids. Throws as costs() does.
  PrecisionTrial(const plait::Model<float>& model, const Dataset& data, std::span<const Index> rows,
                 const plait::EmbeddingTables<float>* tables = nullptr);

  // Names of the weights that bf16 reduces.
  const std::vector<std::string>& weights() const { return weights_; }

  // Those of the weights in bf16 that are not in `keep`. Throws plait::ValueError where a
  // prediction is NaN or infinite.
  std::vector<TaskCost> costs(const std::vector<std::string>& keep = {}) const;

 private:
  std::vector<TaskCost> scored(bool reduced, const std::vector<std::string>& keep) const;

  const plait::Model<float>& model_;
  const Dataset& data_;
  std::span<const Index> rows_;
  const plait::EmbeddingTables<float>* tables_;
  std::vector<std::string> weights_;
  std::vector<TaskCost> full_;
};

// Of every weight, the largest change first.
std::vector<WeightCost> weight_costs(const PrecisionTrial& trial);

// As many of the first of `weights`, as weight_costs() orders them, as it takes until every
// |loss_change| is within the bound. With all of them kept nothing changes.
KeepList keep_within(const PrecisionTrial& trial, std::span<const WeightCost> weights,
                     double bound);

}  // namespace ranker
