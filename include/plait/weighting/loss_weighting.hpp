// LossWeighting: a weighting method with the state that it needs.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/method_state.hpp"
#include "plait/weighting/weighting.hpp"

namespace plait {

// A value: a copy goes on from the same state independently. A step of training calls
//
//   weigh(losses)                      w [T], before the gradient of Σ_t w_t L_t is taken
//   update(losses, gradient_norms)     after it
//
// and an epoch ends with end_epoch(). Not thread-safe.
template <Weighting Method>
class LossWeighting {
 public:
  // What weigh() and update() need: see weighting.hpp.
  static constexpr bool needs_losses = Method::needs_losses;
  static constexpr bool needs_gradient_norms = Method::needs_gradient_norms;

  // `seed` is for methods that draw. Throws ConfigError for less than one task and hyper-parameters
  // out of range.
  LossWeighting(Method method, Index tasks, std::uint64_t seed = 0)
      : method_(std::move(method)), tasks_(tasks) {
    require_config(tasks >= 1, "LossWeighting", "tasks", text(tasks), "at least 1");
    method_.validate(tasks);
    state_.random = Random(seed);
    if constexpr (requires { method_.initial_numbers(tasks); })
      state_.numbers = method_.initial_numbers(tasks);
    weights_.assign(static_cast<std::size_t>(tasks), 1.0);
  }

  // The weights [T] of the coming step; the same as weights() from then on. losses [T] are those of
  // its batch and may be empty for a method that does not need them. Throws before anything is
  // changed: ShapeError for another number of losses, ValueError for losses that are not finite or
  // outside the method's domain.
  std::span<const double> weigh(std::span<const double> losses = {}) {
    if (Method::needs_losses || !losses.empty()) require_finite("losses", losses);
    const Eigen::VectorXd w = method_.weights({tasks_, losses, {}}, state_);
    PLAIT_ASSERT(w.size() == tasks_);
    std::copy(w.begin(), w.end(), weights_.begin());
    return weights_;
  }

  // Learns from a step that was taken: its losses [T], unweighted, and for a method that needs them
  // the norms [T] of their gradients. Throws as weigh does.
  void update(std::span<const double> losses, std::span<const double> gradient_norms = {}) {
    require_finite("losses", losses);
    if (Method::needs_gradient_norms) require_finite("gradient_norms", gradient_norms);
    const WeightingInput input{tasks_, losses, gradient_norms};
    if constexpr (requires { method_.update(input, state_); }) method_.update(input, state_);
    ++state_.steps;
  }

  void end_epoch() {
    if constexpr (requires { method_.end_epoch(state_); }) method_.end_epoch(state_);
  }

  const Method& method() const { return method_; }
  Index num_tasks() const { return tasks_; }
  // Of the last step, one per task.
  std::span<const double> weights() const { return weights_; }

  // The state, for a checkpoint.
  const MethodState& state() const { return state_; }

  // Goes on from a stored state. Throws ConfigError before anything is changed for a negative step
  // count, or another number of numbers than the method keeps.
  void restore(MethodState state) {
    require_config(state.steps >= 0, "LossWeighting", "steps", text(state.steps), "at least 0");
    require_config(state.numbers.size() == state_.numbers.size(), "LossWeighting", "numbers",
                   text(state.numbers.size()), text(state_.numbers.size()));
    state_ = std::move(state);
  }

 private:
  void require_finite(const char* argument, std::span<const double> numbers) const {
    if (std::ssize(numbers) != tasks_)
      throw ShapeError("LossWeighting", argument, text(numbers.size()),
                       text(tasks_, ", one per task"));
    for (const double number : numbers)
      if (!std::isfinite(number))
        throw ValueError("LossWeighting", argument, text(number), "finite numbers");
  }

  Method method_;
  Index tasks_;
  MethodState state_;
  std::vector<double> weights_;
};

}  // namespace plait
