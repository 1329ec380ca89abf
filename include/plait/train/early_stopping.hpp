// EarlyStopping: when several tasks, each with a metric of its own, have learnt what they will.
//
//   EarlyStopping stopping({{.better = Better::higher},                    // AUC
//                           {.better = Better::lower, .unit = 0.02}},      // MSE
//                          {.patience = 5});
//   while (!stopping.stop()) {
//     ... one epoch, evaluate ...
//     if (stopping.update(values)) best = model.values();
//   }
//
// With embedding tables the best state is theirs as well, and nobody keeps it unasked: a network's
// values without the tables of the same moment are no model. Where two of them fit in memory,
// best_tables = tables.clone(); where they do not, a file, save(model, tables, "best.safetensors"),
// which takes no memory and is loaded by load_with_tables (io/embedding_file.hpp).
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/metrics/metric_value.hpp"
#include "plait/metrics/mtl_gain.hpp"

namespace plait {

// Which way a metric is better; empty: as the metric itself says. It cannot be made from {}, so
// that {{}, {}} is two watches and never the members of one.
struct WatchedBetter : std::optional<Better> {
  constexpr WatchedBetter(std::nullopt_t none) : std::optional<Better>(none) {}
  constexpr WatchedBetter(Better better) : std::optional<Better>(better) {}
};

// The metric of one task.
struct Watch {
  WatchedBetter better = std::nullopt;  // empty: MetricValue::better; of bare numbers, higher
  double unit = 1;  // what counts as a gain of 1, so that gains in AUC and in MSE can be added
  std::optional<double> baseline = {};  // gains are over this value, say the single-task model's;
                                        // empty: over the first value

  void fields(FieldVisitor& visit) {
    std::optional<Better>& way = better;
    visit("better", way);
    visit("unit", unit);
    visit("baseline", baseline);
  }
};

enum class StopWhen {
  sum_stalls,         // the sum of the tasks' gains
  every_task_stalls,  // each by itself, the last one included; a task without a value in `patience`
                      // evaluations since its best holds nothing up
  any_task_stalls,
};
template <>
struct EnumNames<StopWhen> {
  static constexpr std::array<std::string_view, 3> names{"sum_stalls", "every_task_stalls",
                                                         "any_task_stalls"};
};

struct EarlyStoppingOptions {
  Index patience = 3;  // evaluations in a row without a new best, after which something has stalled
  double min_gain = 0;  // by how much a new best must exceed the old one, in units
  StopWhen stop_when = StopWhen::sum_stalls;
};

// A value; not thread-safe. gain_t = mtl_gain(value_t, baseline_t) / unit_t, positive for better
// whichever way the metric runs; sum = Σ_t gain_t. With unit = |baseline|, sum / T is delta_m.
//
// A NaN (an AUC without positives) is no evaluation of its task: the task's last gain stands, 0
// before its first, and its patience does not run. An infinite value on the worse side is one, with
// a gain of -infinity, and one on the better side is as NaN. An evaluation without any value is one
// without a new best, for every task and for the sum: a model that has diverged stops, too.
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
  explicit EarlyStopping(std::initializer_list<Watch> tasks, EarlyStoppingOptions options = {})
      : EarlyStopping(std::vector<Watch>(tasks), options) {}

  // Takes the values of an evaluation, one per task; true when their sum of gains is the best so
  // far. Throws, before anything is changed, ShapeError for another number of values, and
  // ConfigError for a metric that is better the other way than its Watch says.
  bool update(std::span<const double> values) {
    require_one_per_task(values.size());
    return observe_all([&](std::size_t t) { return values[t]; },
                       [&](std::size_t t) { return watches_[t].better.value_or(Better::higher); });
  }
  bool update(std::span<const MetricValue> values) {
    require_one_per_task(values.size());
    for (std::size_t t = 0; t < values.size(); ++t) {
      const Better better = watches_[t].better.value_or(values[t].better);
      require_config(better == values[t].better, "EarlyStopping", text("better of task ", t),
                     better_name(better), text(better_name(values[t].better), ", as its metric"));
    }
    return observe_all([&](std::size_t t) { return values[t].value; },
                       [&](std::size_t t) { return values[t].better; });
  }

  bool stop() const {
    switch (options_.stop_when) {
      case StopWhen::sum_stalls:
        return has_stalled(sum_);
      case StopWhen::every_task_stalls:
        for (const Task& task : tasks_)
          if (!has_stalled(task.record) && missing(task.record) < options_.patience) return false;
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
  // Throws, before anything is changed, ShapeError for the state of another number of tasks and
  // ValueError for one that none can have.
  void restore(std::span<const double> state) {
    if (state.size() != 4 + 6 * tasks_.size())
      throw ShapeError("EarlyStopping", "state", text(state.size(), " numbers"),
                       text(4 + 6 * tasks_.size()));
    auto next = state.begin();
    const Index evaluations = count(*next++, 0, largest_count);
    Record sum;
    take(next, evaluations, sum);
    std::vector<Task> tasks(tasks_.size());
    for (Task& task : tasks) {
      task.baseline = *next++;
      task.gain = *next++;
      task.best = *next++;
      take(next, evaluations, task.record);
      require(!std::isinf(task.baseline), task.baseline, "a baseline that is finite, or NaN");
      require(!std::isnan(task.gain), task.gain, "a gain that is a number");
      require(task.record.at < 0 ? std::isnan(task.best) : std::isfinite(task.best), task.best,
              "a best value that is finite, or NaN where there was none");
    }
    evaluations_ = evaluations;
    sum_ = sum;
    tasks_ = std::move(tasks);
  }

  // Tasks and options, by name, to be read.
  PLAIT_COLD void settings(FieldVisitor& visit) const {
    auto watches = watches_;
    auto options = options_;
    visit("tasks", watches);
    visit("patience", options.patience);
    visit("min_gain", options.min_gain);
    visit("stop_when", options.stop_when);
  }

 private:
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();
  static constexpr double infinity = std::numeric_limits<double>::infinity();

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

  void require_one_per_task(std::size_t count) const {
    if (count != tasks_.size())
      throw ShapeError("EarlyStopping", "values", text(count),
                       text(tasks_.size(), ", one per task"));
  }
  static const char* better_name(Better better) {
    return better == Better::higher ? "higher" : better == Better::lower ? "lower" : "closer to 1";
  }

  template <class Value, class Direction>
  bool observe_all(const Value& value_of, const Direction& better_of) {
    bool evaluated = false;
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      const double value = value_of(t);
      const Better better = better_of(t);
      const bool worst = std::isinf(value) && mtl_gain(value, 0, better) < 0;
      if (!std::isfinite(value) && !worst) continue;
      evaluated = true;
      Task& task = tasks_[t];
      if (std::isnan(task.baseline) && !worst) task.baseline = value;
      task.gain = worst ? -infinity : mtl_gain(value, task.baseline, better) / watches_[t].unit;
      if (observe(task.gain, task.record)) task.best = value;
    }
    if (!evaluated)
      for (Task& task : tasks_) ++task.record.since;
    const bool improved = observe(evaluated ? sum_of_gains() : none, sum_);
    ++evaluations_;
    return improved;
  }

  // NaN and -infinity are no gain, be they the first.
  bool observe(double gain, Record& record) const {
    const bool best =
        std::isnan(record.best) ? gain > -infinity : gain > record.best + options_.min_gain;
    if (!best) {
      ++record.since;
      return false;
    }
    record = {gain, evaluations_, 0};
    return true;
  }
  // Evaluations after the best one in which the patience did not run.
  Index missing(const Record& record) const { return evaluations_ - 1 - record.at - record.since; }
  bool has_stalled(const Record& record) const { return record.since >= options_.patience; }
  const Task& at(Index t) const { return tasks_[static_cast<std::size_t>(t)]; }

  static void put(const Record& record, std::vector<double>& numbers) {
    numbers.insert(numbers.end(), {record.best, static_cast<double>(record.at),
                                   static_cast<double>(record.since)});
  }
  static void take(std::span<const double>::iterator& next, Index evaluations, Record& record) {
    record.best = *next++;
    record.at = count(*next++, -1, evaluations - 1);
    record.since = count(*next++, 0, evaluations);
    require(record.at < 0 ? std::isnan(record.best) : record.best > -infinity, record.best,
            "a best gain above -inf, or NaN where there was none");
    require(record.at + record.since < evaluations, static_cast<double>(record.since),
            "no more evaluations since the best than there were");
  }
  static void require(bool holds, double got, const char* expected) {
    if (!holds) throw ValueError("EarlyStopping", "state", text(got), expected);
  }
  static Index count(double stored, Index least, Index most) {
    if (!(stored >= static_cast<double>(least) && stored <= static_cast<double>(most) &&
          stored == std::floor(stored)))
      throw ValueError("EarlyStopping", "state", text(stored),
                       text("a whole number from ", least, " to ", most));
    return static_cast<Index>(stored);
  }

  std::vector<Watch> watches_;
  EarlyStoppingOptions options_;
  std::vector<Task> tasks_;
  Record sum_;
  Index evaluations_ = 0;
};

}  // namespace plait
