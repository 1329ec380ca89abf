// EarlyStopping: when several tasks, each with a metric of its own, have learnt what they will.
//
//   EarlyStopping stopping({{.better = Better::higher},                    // AUC
//                           {.better = Better::lower, .unit = 0.02}},      // MSE
//                          {.patience = 5});
//   while (!stopping.stop()) {
//     ... one epoch, evaluate ...
//     if (stopping.update(values)) best = model.values();
//   }
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/metrics/metric_value.hpp"
#include "plait/metrics/mtl_gain.hpp"

namespace plait {

// The metric of one task.
struct Watch {
  Better better = Better::higher;
  double unit = 1;  // what counts as a gain of 1, so that gains in AUC and in MSE can be added
  std::optional<double> baseline = {};  // gains are over this value, say the single-task model's;
                                        // empty: over the first value
};

enum class StopWhen {
  sum_stalls,         // the sum of the tasks' gains
  every_task_stalls,  // each by itself, the last one included
  any_task_stalls,
};

struct EarlyStoppingOptions {
  Index patience = 3;  // evaluations in a row without a new best, after which something has stalled
  double min_gain = 0;  // by how much a new best must exceed the old one, in units
  StopWhen stop_when = StopWhen::sum_stalls;
};

// A value; not thread-safe. gain_t = mtl_gain(value_t, baseline_t) / unit_t, positive for better
// whichever way the metric runs; sum = Σ_t gain_t. With unit = |baseline|, sum / T is delta_m.
//
// A value that is not finite (an AUC without positives) is no evaluation of its task: the task's
// last gain stands, 0 before its first, and its patience does not run.
class EarlyStopping {
 public:
  // Throws ConfigError for no tasks, a unit that is not a finite number above 0, a baseline that is
  // not finite, patience below 1, or a negative min_gain.
  explicit EarlyStopping(std::vector<Watch> tasks, EarlyStoppingOptions options = {})
      : watches_(std::move(tasks)), options_(options), tasks_(watches_.size()) {
    const char* where = "EarlyStopping";
    require_config(!watches_.empty(), where, "tasks", "none", "at least one");
    for (std::size_t t = 0; t < watches_.size(); ++t) {
      const Watch& watch = watches_[t];
      require_config(std::isfinite(watch.unit) && watch.unit > 0, where, text("unit of task ", t),
                     text(watch.unit), "a finite number above 0");
      require_config(std::isfinite(watch.baseline.value_or(0)), where, text("baseline of task ", t),
                     text(watch.baseline.value_or(0)), "a finite number");
      if (watch.baseline) tasks_[t].baseline = *watch.baseline;
    }
    require_config(options.patience >= 1, where, "patience", text(options.patience), "at least 1");
    require_config(options.min_gain >= 0, where, "min_gain", text(options.min_gain), "at least 0");
  }

  // Takes the values of an evaluation, one per task; true when their sum of gains is the best so
  // far. Throws ShapeError for another number of values.
  bool update(std::span<const double> values) {
    if (values.size() != tasks_.size())
      throw ShapeError("EarlyStopping", "values", text(values.size()),
                       text(tasks_.size(), ", one per task"));
    bool evaluated = false;
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      if (!std::isfinite(values[t])) continue;
      evaluated = true;
      Task& task = tasks_[t];
      if (std::isnan(task.baseline)) task.baseline = values[t];
      task.gain = mtl_gain(values[t], task.baseline, watches_[t].better) / watches_[t].unit;
      if (observe(task.gain, task.record)) task.best = values[t];
    }
    const bool improved = evaluated && observe(sum_of_gains(), sum_);
    ++evaluations_;
    return improved;
  }
  bool update(std::span<const MetricValue> values) {
    std::vector<double> numbers;
    for (const MetricValue& value : values) numbers.push_back(value.value);
    return update(numbers);
  }

  bool stop() const {
    switch (options_.stop_when) {
      case StopWhen::sum_stalls:
        return has_stalled(sum_);
      case StopWhen::every_task_stalls:
        for (const Task& task : tasks_)
          if (!has_stalled(task.record)) return false;
        return true;
      case StopWhen::any_task_stalls:
        for (const Task& task : tasks_)
          if (has_stalled(task.record)) return true;
        return false;
    }
    return false;
  }

  // Evaluations so far. Places below count them from 0, and are -1 where there was none.
  Index evaluations() const { return evaluations_; }
  Index num_tasks() const { return std::ssize(tasks_); }

  // Of a task: its best value (NaN before the first) and where that was, its last gain, and whether
  // it is out of patience.
  double best(Index t) const { return at(t).best; }
  Index best_at(Index t) const { return at(t).record.at; }
  double gain(Index t) const { return at(t).gain; }
  bool stalled(Index t) const { return has_stalled(at(t).record); }

  // The last sum of gains, the best one (NaN before the first) and where that was.
  double sum_of_gains() const {
    double sum = 0;
    for (const Task& task : tasks_) sum += task.gain;
    return sum;
  }
  double best_sum() const { return sum_.best; }
  Index best_sum_at() const { return sum_.at; }

  // Plain data, for a checkpoint. With it, and the same tasks and options, training stops where it
  // would have.
  std::vector<double> state() const {
    std::vector<double> numbers{static_cast<double>(evaluations_)};
    put(sum_, numbers);
    for (const Task& task : tasks_) {
      numbers.insert(numbers.end(), {task.baseline, task.gain, task.best});
      put(task.record, numbers);
    }
    return numbers;
  }
  // Throws ShapeError for the state of another number of tasks.
  void restore(std::span<const double> state) {
    if (state.size() != 4 + 6 * tasks_.size())
      throw ShapeError("EarlyStopping", "state", text(state.size(), " numbers"),
                       text(4 + 6 * tasks_.size()));
    auto next = state.begin();
    evaluations_ = static_cast<Index>(*next++);
    take(next, sum_);
    for (Task& task : tasks_) {
      task.baseline = *next++;
      task.gain = *next++;
      task.best = *next++;
      take(next, task.record);
    }
  }

 private:
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  struct Record {
    double best = none;
    Index at = -1;
    Index since = 0;  // evaluations since then
  };
  struct Task {
    double baseline = none;
    double gain = 0;
    double best = none;
    Record record;  // of the gain
  };

  bool observe(double gain, Record& record) const {
    if (gain <= record.best + options_.min_gain) {
      ++record.since;
      return false;
    }
    record = {gain, evaluations_, 0};
    return true;
  }
  bool has_stalled(const Record& record) const { return record.since >= options_.patience; }
  const Task& at(Index t) const { return tasks_[static_cast<std::size_t>(t)]; }

  static void put(const Record& record, std::vector<double>& numbers) {
    numbers.insert(numbers.end(), {record.best, static_cast<double>(record.at),
                                   static_cast<double>(record.since)});
  }
  static void take(std::span<const double>::iterator& next, Record& record) {
    record.best = *next++;
    record.at = static_cast<Index>(*next++);
    record.since = static_cast<Index>(*next++);
  }

  std::vector<Watch> watches_;
  EarlyStoppingOptions options_;
  std::vector<Task> tasks_;
  Record sum_;
  Index evaluations_ = 0;
};

}  // namespace plait
