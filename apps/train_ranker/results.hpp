// What training gives: the scores of tasks, of epochs and of whole runs.
#pragma once
#include <cstdint>
#include <limits>
#include <vector>

#include "plait/losses/head.hpp"
#include "precision_cost.hpp"

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

struct Epoch {
  int number = 0;   // from 1
  double loss = 0;  // mean over the epoch's rows
  std::vector<TaskScore> validation;
  double total = 0;            // total_value(validation)
  bool best = false;           // the largest total so far
  bool stop = false;           // the last one, by early stopping
  double rows_per_second = 0;  // 0 for those before a checkpoint that the run went on from
};

struct Run {
  std::uint64_t seed = 0;    // as scheduled
  std::vector<Epoch> curve;  // of all epochs, also those before a checkpoint
  int best_epoch = 0;
  int epochs = 0;                        // until early stopping
  std::vector<TaskScore> test;           // of the best epoch's weights
  std::vector<TaskCost> precision = {};  // of those, where it was asked for
  double seconds_per_epoch = 0;          // of training in this process, without evaluation
  double rows_per_second = 0;
};

}  // namespace ranker
