// LossWeighting: a weighting method with the state that it needs.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/method_state.hpp"
#include "plait/methods/weighting_method.hpp"

namespace plait {

// Any method: what is built on weightings is compiled once, whatever the method. A value: a copy
// goes on from the same state independently. A step of training calls
//
//   weigh(losses)                      w [T], before the gradient of Σ_t w_t L_t is taken
//   update(losses, gradient_norms, losses_after)
//                                      after it
//
// and an epoch ends with end_epoch(). Not thread-safe. Allocates on construction, and in the first
// step of a copy.
class LossWeighting {
 public:
  // `seed` is for methods that draw. Throws ConfigError for less than one task and hyper-parameters
  // out of range.
  template <WeightingMethod Method>
  LossWeighting(Method method, Index tasks, std::uint64_t seed = 0)
      : method_(std::make_shared<const Of<Method>>(std::move(method))),
        needs_losses_(Method::needs_losses),
        needs_gradient_norms_(Method::needs_gradient_norms),
        needs_losses_after_(plait::needs_losses_after<Method>),
        tasks_(tasks) {
    require_config(tasks >= 1, "LossWeighting", "tasks", text(tasks), "at least 1");
    method_->validate(tasks);
    state_.random = Random(seed);
    state_.numbers = method_->initial_numbers(tasks);
    weights_.assign(static_cast<std::size_t>(tasks), 1.0);
    detail::reserve(scratch_, tasks);
  }

  // What weigh() and update() need: see weighting_method.hpp.
  bool needs_losses() const { return needs_losses_; }
  bool needs_gradient_norms() const { return needs_gradient_norms_; }
  bool needs_losses_after() const { return needs_losses_after_; }

  // The weights [T] of the coming step; the same as weights() from then on. losses [T] are those of
  // its batch and may be empty for a method that does not need them. Throws before anything is
  // changed: ShapeError for another number of losses, ValueError for losses that are not finite or
  // outside the method's domain.
  std::span<const double> weigh(std::span<const double> losses = {}) {
    if (needs_losses_ || !losses.empty()) require_finite("losses", losses);
    const Scratch::Frame frame(scratch_);
    const auto weights = detail::take_span<double>(scratch_, tasks_);
    method_->weights({.tasks = tasks_, .losses = losses}, state_, weights, scratch_);
    std::ranges::copy(weights, weights_.begin());
    return weights_;
  }

  // Learns from a step that was taken: its losses [T], unweighted, and for a method that needs them
  // the norms [T] of their gradients and the same batch's losses [T] after it. Throws as weigh
  // does.
  void update(std::span<const double> losses, std::span<const double> gradient_norms = {},
              std::span<const double> losses_after = {}) {
    require_finite("losses", losses);
    if (needs_gradient_norms_) require_finite("gradient_norms", gradient_norms);
    if (needs_losses_after_) require_finite("losses_after", losses_after);
    method_->update({tasks_, losses, gradient_norms, losses_after}, state_, scratch_);
    ++state_.steps;
  }

  void end_epoch() { method_->end_epoch(state_); }

  Index num_tasks() const { return tasks_; }
  // Of the last step, one per task.
  std::span<const double> weights() const { return weights_; }

  // The state, for a checkpoint.
  const MethodState& state() const { return state_; }

  // The method's name and hyper-parameters, to be read; a checkpoint is held to them.
  void settings(FieldVisitor& visit) const { method_->settings(visit); }

  // Goes on from a stored state. Throws ConfigError before anything is changed for a negative step
  // count, or another number of numbers than the method keeps.
  void restore(MethodState state) {
    require_config(state.steps >= 0, "LossWeighting", "steps", text(state.steps), "at least 0");
    require_config(state.numbers.size() == state_.numbers.size(), "LossWeighting", "numbers",
                   text(state.numbers.size()), text(state_.numbers.size()));
    state_ = std::move(state);
  }

 private:
  struct Erased {
    virtual ~Erased() = default;
    virtual void validate(Index tasks) const = 0;
    virtual void settings(FieldVisitor& visit) const = 0;
    virtual std::vector<double> initial_numbers(Index tasks) const = 0;
    virtual void weights(const WeightingInput& input, MethodState& state, std::span<double> out,
                         Scratch& scratch) const = 0;
    virtual void update(const WeightingInput& input, MethodState& state,
                        Scratch& scratch) const = 0;
    virtual void end_epoch(MethodState& state) const = 0;
  };

  template <class Method>
  struct Of final : Erased {
    Method method;

    explicit Of(Method given) : method(std::move(given)) {}
    void validate(Index tasks) const override { method.validate(tasks); }
    void settings(FieldVisitor& visit) const override { detail::visit_method(visit, method); }
    std::vector<double> initial_numbers(Index tasks) const override {
      return detail::initial_numbers(method, tasks);
    }
    void weights(const WeightingInput& input, MethodState& state, std::span<double> out,
                 Scratch& scratch) const override {
      method.weights(input, state, out, scratch);
    }
    void update([[maybe_unused]] const WeightingInput& input, [[maybe_unused]] MethodState& state,
                [[maybe_unused]] Scratch& scratch) const override {
      if constexpr (requires { method.update(input, state, scratch); })
        method.update(input, state, scratch);
    }
    void end_epoch([[maybe_unused]] MethodState& state) const override {
      if constexpr (requires { method.end_epoch(state); }) method.end_epoch(state);
    }
  };

  void require_finite(const char* argument, std::span<const double> numbers) const {
    if (std::ssize(numbers) != tasks_)
      throw ShapeError("LossWeighting", argument, text(numbers.size()),
                       text(tasks_, ", one per task"));
    for (const double number : numbers)
      if (!std::isfinite(number))
        throw ValueError("LossWeighting", argument, text(number), "finite numbers");
  }

  std::shared_ptr<const Erased> method_;  // does not change, so copies share it
  bool needs_losses_;
  bool needs_gradient_norms_;
  bool needs_losses_after_;
  Index tasks_;
  MethodState state_;
  std::vector<double> weights_;
  Scratch scratch_;
};

}  // namespace plait
