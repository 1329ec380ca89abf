// WeightingMethod: weights of the tasks' losses, which unlike a BalancingMethod's act on all
// parameters.
//
//   total = Σ_t w_t L_t                     w_t are constants where its gradient is taken
//
// A method holds hyper-parameters only; what it remembers is a MethodState, which LossWeighting
// keeps. A method of your own needs
//
//   M::needs_losses                         true: the weights depend on the losses of the batch
//                                           that they are for, so those are computed first
//   M::needs_gradient_norms                 true: update() reads the norms of the tasks' gradients
//   method.validate(tasks)                  throws ConfigError for hyper-parameters out of range
//   method.weights(input, state, out, scratch)
//                                           writes w into out [T], for a step; may draw from
//                                           state.random
//
// and may have
//
//   M::name, method.fields(visit)           what a checkpoint compares: a static text, and the
//                                           hyper-parameters (core/fields.hpp)
//   method.initial_numbers(tasks)           the state.numbers that it keeps, as they start
//   method.update(input, state, scratch)    learns from a step's losses, after it
//   M::needs_losses_after                   true: update() reads the losses of the same batch at
//                                           the parameters that the step has led to, which cost a
//                                           forward pass; otherwise none
//   method.end_epoch(state)                 after the last step of an epoch
//
// Common to all methods of this folder: everything is computed in double, and weights are finite. A
// loss of exactly 0 is that of a task without a valid label in the batch: nothing is learned from
// it, and it has no influence on the other tasks. Methods are const and safe to call from any
// number of threads with distinct states, outputs and scratch, from which they take their memory:
// nothing is allocated once that is large enough.
#pragma once
#include <concepts>
#include <span>

#include "plait/core/config.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/method_state.hpp"

namespace plait {

// What the weights of a step are computed from, and learned from after it.
struct WeightingInput {
  Index tasks;                                  // T
  std::span<const double> losses = {};          // [T], without w_t; may be empty where not needed
  std::span<const double> gradient_norms = {};  // [T], ‖∇L_t‖, without w_t; the same
  std::span<const double> losses_after = {};    // [T], of the batch once the step is made; the same
};

template <class M>
concept WeightingMethod = std::copyable<M> &&
    requires(const M& method, Index tasks, const WeightingInput& input, MethodState& state,
             std::span<double> out, Scratch& scratch) {
  { M::needs_losses } -> std::convertible_to<bool>;
  { M::needs_gradient_norms } -> std::convertible_to<bool>;
  method.validate(tasks);
  method.weights(input, state, out, scratch);
};

// True for a method that learns from what the step did to the batch's losses.
template <WeightingMethod M>
inline constexpr bool needs_losses_after = [] {
  if constexpr (requires { M::needs_losses_after; }) {
    return M::needs_losses_after;
  } else {
    return false;
  }
}();

}  // namespace plait
