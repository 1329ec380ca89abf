// Optimizer: a rule, parameter groups, a schedule and gradient clipping, with the state they need.
#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/representable.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/optim/clip.hpp"
#include "plait/optim/param_groups.hpp"
#include "plait/optim/rule.hpp"
#include "plait/optim/schedule.hpp"

namespace plait {

struct OptimizerOptions {
  std::vector<ParamGroup> groups = {};   // later ones win
  Schedule schedule = {};                // multiplies every learning rate
  std::optional<double> clip_norm = {};  // largest global norm of the gradients that are used
};

// A value: a copy goes on from the same state independently. The state is one step count, shared by
// all tensors (so that bias corrections advance per step), and the moments, buffers over the table
// of the parameters; it is tied to no address, so values may be copied or moved between steps.
template <class Scalar>
class Optimizer {
 public:
  // What the values may be after a step.
  enum class Values { anything, finite };

  // Throws ConfigError for hyper-parameters out of range or that Scalar cannot hold, a group that
  // matches no parameter, or a clip_norm that is not a finite number above 0.
  PLAIT_COLD Optimizer(std::shared_ptr<const ParamTable> table, Rule<Scalar> rule,
                       OptimizerOptions options = {});

  // Moves the values by one step; grad is not modified. With clip_norm, the gradients of the
  // parameters that are not frozen are scaled by clip_coefficient of their common norm. Frozen
  // parameters and their moments keep every bit. Does not allocate. With an executor, tensors move
  // at the same time; the result is the same.
  //
  // Gradients are not inspected: as in PyTorch, one that is not finite spoils its own parameter
  // and, with clip_norm, a NaN spoils all of them. Callers that would rather drop such a step test
  // std::isfinite(global_norm(grad)) first.
  //
  // Throws ShapeError when values or grad lie over another table; what the executor or a rule of
  // one's own throws; and, where values are to be finite, ValueError for an update that made one
  // infinite or NaN. The latter two come after some tensors have moved: values and moments are then
  // those of a spoiled step, and further ones throw ConfigError until restore() has put a whole
  // state in place, with the values that belong to it (Checkpoints::resume does both).
  //
  // Where others move as well, rows of tables, Σ g² of theirs counts in the common norm.
  void step(ParamBuffer<Scalar>& values, const ParamBuffer<Scalar>& grad,
            Executor* executor = nullptr, Values are = Values::anything,
            double others_squared_norm = 0);
  // The same of some tensors. numbers, in table order: which of its own steps a tensor makes, from
  // 1, and 0 for one that stays, with its moments, whose gradient has no part in the common norm.
  // Counts as a step, for schedules, also where all stay. Throws ShapeError for another number of
  // them, ConfigError for one below 0.
  void step_some(ParamBuffer<Scalar>& values, const ParamBuffer<Scalar>& grad,
                 std::span<const Index> numbers, Executor* executor = nullptr,
                 Values are = Values::anything);

  // What the next step multiplies all gradients by, and all learning rates.
  double gradient_scale(const ParamBuffer<Scalar>& grad, double others_squared_norm = 0) const;
  double rate_factor() const { return options_.schedule.factor(steps_); }

  const Rule<Scalar>& rule() const { return rule_; }
  const OptimizerOptions& options() const { return options_; }
  // What every parameter is trained with, in table order; before the schedule.
  const std::vector<ParamSettings>& settings() const { return settings_; }

  // The state, for a checkpoint: steps done, and the moments with their names.
  Index steps() const { return steps_; }
  const std::vector<std::string>& moment_names() const { return moment_names_; }
  const std::vector<ParamBuffer<Scalar>>& moments() const { return moments_; }

  // True after a step that ended in an error when some tensors had moved, or the rows of tables
  // that move with them.
  bool spoiled() const { return spoiled_; }
  void spoil() { spoiled_ = true; }

  // Goes on from a stored state. Throws before anything is changed: ConfigError for another number
  // of moments than the rule keeps or a step count that is negative or beyond 2^53, ShapeError for
  // moments over another table.
  void restore(Index steps, std::vector<ParamBuffer<Scalar>> moments);

 private:
  // numbers(i), of tensor i: which of its steps this is, or 0.
  template <class Numbers>
  void step_by(const Numbers& numbers, ParamBuffer<Scalar>& values, const ParamBuffer<Scalar>& grad,
               Executor* executor, Values are, double others_squared_norm);
  template <class Numbers>
  double scale_by(const Numbers& numbers, const ParamBuffer<Scalar>& grad,
                  double others_squared_norm) const;
  // The same table, or an equal one: a model that was loaded has its own.
  void require_table(const char* argument, const ParamBuffer<Scalar>& buffer) const;

  std::shared_ptr<const ParamTable> table_;
  Rule<Scalar> rule_;
  OptimizerOptions options_;
  std::vector<ParamSettings> settings_;
  std::vector<std::string> moment_names_;
  std::vector<ParamBuffer<Scalar>> moments_;
  std::vector<std::span<Scalar>> blocks_;  // the moments' numbers, while a step runs
  Index steps_ = 0;
  bool spoiled_ = false;
};

template <class Scalar>
Optimizer<Scalar>::Optimizer(std::shared_ptr<const ParamTable> table, Rule<Scalar> rule,
                             OptimizerOptions options)
    : table_(std::move(table)), rule_(std::move(rule)), options_(std::move(options)) {
  rule_.validate();
  require_config(
      !options_.clip_norm || (std::isfinite(*options_.clip_norm) && *options_.clip_norm > 0),
      "Optimizer", "clip_norm", text(options_.clip_norm.value_or(0)), "a finite number above 0");
  settings_ = resolve_groups(*table_, options_.groups,
                             {.learning_rate = rule_.learning_rate(),
                              .weight_decay = rule_.weight_decay(),
                              .frozen = false});
  detail::RepresentableFields<Scalar> representable("Optimizer");
  rule_.settings(representable);
  for (const ParamSettings& settings : settings_) {
    require_representable<Scalar>("Optimizer", "learning_rate", settings.learning_rate);
    require_representable<Scalar>("Optimizer", "weight_decay", settings.weight_decay);
  }
  require_representable<Scalar>("Optimizer", "clip_norm", options_.clip_norm.value_or(0));
  moment_names_ = rule_.moment_names();
  moments_.assign(moment_names_.size(), ParamBuffer<Scalar>(table_));
  blocks_.resize(moments_.size());
  for (std::size_t k = 0; k < moments_.size(); ++k) {
    const auto initial = static_cast<Scalar>(rule_.initial_moment(static_cast<Index>(k)));
    for (const ParamEntry& entry : table_->entries())
      std::ranges::fill(moments_[k].of(entry.id), initial);
  }
}

template <class Scalar>
void Optimizer<Scalar>::step(ParamBuffer<Scalar>& values, const ParamBuffer<Scalar>& grad,
                             Executor* executor, Values are, double others_squared_norm) {
  step_by([this](std::size_t) { return steps_ + 1; }, values, grad, executor, are,
          others_squared_norm);
}

template <class Scalar>
void Optimizer<Scalar>::step_some(ParamBuffer<Scalar>& values, const ParamBuffer<Scalar>& grad,
                                  std::span<const Index> numbers, Executor* executor, Values are) {
  if (numbers.size() != settings_.size())
    throw ShapeError("Optimizer", "numbers", text(numbers.size()), text(settings_.size()));
  for (const Index number : numbers)
    require_config(number >= 0, "Optimizer", "numbers", text(number), "0 or more");
  step_by([&](std::size_t i) { return numbers[i]; }, values, grad, executor, are, 0);
}

template <class Scalar>
template <class Numbers>
void Optimizer<Scalar>::step_by(const Numbers& numbers, ParamBuffer<Scalar>& values,
                                const ParamBuffer<Scalar>& grad, Executor* executor, Values are,
                                double others_squared_norm) {
  require_table("values", values);
  require_table("grad", grad);
  require_config(!spoiled_, "Optimizer", "state", "that of a step that threw",
                 "restore() of a whole one");
  const double factor = rate_factor();
  const double scale = scale_by(numbers, grad, others_squared_norm);
  for (std::size_t k = 0; k < moments_.size(); ++k) blocks_[k] = moments_[k].flat();
  std::atomic<bool> moves = false;
  std::atomic<bool> finite = true;
  const auto move = [&](Index i) {
    const ParamSettings& settings = settings_[static_cast<std::size_t>(i)];
    const Index number = numbers(static_cast<std::size_t>(i));
    if (settings.frozen || number == 0) return;
    moves.store(true, std::memory_order_relaxed);
    const UpdateStep step{.number = number,
                          .learning_rate = settings.learning_rate * factor,
                          .weight_decay = settings.weight_decay,
                          .gradient_scale = scale};
    const ParamId id = table_->entries()[static_cast<std::size_t>(i)].id;
    rule_.update(step, values.of(id), grad.of(id), Moments<Scalar>(blocks_, id.offset, id.size()));
    // Here, where small tensors are in cache.
    if (are == Values::finite && !kernels::all_finite<Scalar>(values.of(id)))
      finite.store(false, std::memory_order_relaxed);
  };
  try {
    run_tasks(executor, std::ssize(settings_), move);
  } catch (...) {
    spoiled_ = moves;
    throw;
  }
  spoiled_ = !finite;
  if (spoiled_)
    throw ValueError("Optimizer", "values", "NaN or infinity after the update", "finite numbers");
  ++steps_;
}

template <class Scalar>
void Optimizer<Scalar>::restore(Index steps, std::vector<ParamBuffer<Scalar>> moments) {
  require_config(steps >= 0, "Optimizer", "steps", text(steps), "at least 0");
  require_config(steps <= largest_count, "Optimizer", "steps", text(steps), "at most 2^53");
  require_config(moments.size() == moment_names_.size(), "Optimizer", "moments",
                 text(moments.size()), text(moment_names_.size()));
  for (const auto& moment : moments) require_table("moments", moment);
  steps_ = steps;
  moments_ = std::move(moments);
  spoiled_ = false;
}

template <class Scalar>
double Optimizer<Scalar>::gradient_scale(const ParamBuffer<Scalar>& grad,
                                         double others_squared_norm) const {
  return scale_by([this](std::size_t) { return steps_ + 1; }, grad, others_squared_norm);
}

template <class Scalar>
template <class Numbers>
double Optimizer<Scalar>::scale_by(const Numbers& numbers, const ParamBuffer<Scalar>& grad,
                                   double others_squared_norm) const {
  if (!options_.clip_norm) return 1;
  double sum = others_squared_norm;
  for (std::size_t i = 0; i < settings_.size(); ++i)
    if (!settings_[i].frozen && numbers(i) > 0)
      sum += squared_norm(grad.of(table_->entries()[i].id));
  return clip_coefficient(std::sqrt(sum), *options_.clip_norm);
}

template <class Scalar>
void Optimizer<Scalar>::require_table(const char* argument,
                                      const ParamBuffer<Scalar>& buffer) const {
  require_schema("Optimizer", argument, buffer.shared_table(), table_);
}

#ifdef PLAIT_COMPILED
extern template class Optimizer<float>;
extern template class Optimizer<double>;
#endif

}  // namespace plait
