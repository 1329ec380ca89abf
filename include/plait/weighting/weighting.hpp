// Weighting: weights of the tasks' losses, which unlike a Balancer's act on all parameters.
//
//   total = Σ_t w_t L_t                     w_t are constants where its gradient is taken
//
// A method holds hyper-parameters only; what it remembers is a MethodState, which LossWeighting
// keeps. A method of your own needs
//
//   W::needs_losses                         true: the weights depend on the losses of the batch
//                                           that they are for, so those are computed first
//   W::needs_gradient_norms                 true: update() reads the norms of the tasks' gradients
//   method.validate(tasks)                  throws ConfigError for hyper-parameters out of range
//   method.weights(input, state)            w [T] for a step; may draw from state.random
//
// and may have
//
//   method.initial_numbers(tasks)           the state.numbers that it keeps, as they start
//   method.update(input, state)             learns from a step's losses, after it
//   method.end_epoch(state)                 after the last step of an epoch
//
// Common to all methods of this folder: everything is computed in double, and weights are finite. A
// loss of exactly 0 is that of a task without a valid label in the batch: nothing is learned from
// it, and it has no influence on the other tasks. Methods are const and safe to call from any
// number of threads with distinct states.
#pragma once
#include <Eigen/Core>
#include <concepts>
#include <span>

#include "plait/core/config.hpp"
#include "plait/core/method_state.hpp"

namespace plait {

struct WeightingInput {
  Index tasks;                                  // T
  std::span<const double> losses = {};          // [T], without w_t; may be empty where not needed
  std::span<const double> gradient_norms = {};  // [T], ‖∇L_t‖, without w_t; the same
};

template <class W>
concept Weighting = std::copyable<W> &&
    requires(const W& method, Index tasks, const WeightingInput& input, MethodState& state) {
  { W::needs_losses } -> std::convertible_to<bool>;
  { W::needs_gradient_norms } -> std::convertible_to<bool>;
  method.validate(tasks);
  { method.weights(input, state) } -> std::same_as<Eigen::VectorXd>;
};

}  // namespace plait
