// BalancingMethod: how the gradients of several tasks become one direction for the parameters that
// they share.
//
//   d = Σ_t α_t g_t                         g_t [P], task t's gradient over the shared parameters
//
// Nearly every method finds its weights α [T] in the Gramian M = G Gᵀ [T, T] alone, M_st = ⟨g_s,
// g_t⟩, whatever the number of parameters. A method holds hyper-parameters only; what it remembers
// is a MethodState, which GradientBalancer keeps. A method of your own needs
//
//   M::needs_gramian                        false: weights() does not read the Gramian
//   method.validate(tasks)                  throws ConfigError for hyper-parameters out of range
//   method.weights(input, state, out, scratch)
//                                           writes α into out [T]; may draw from state.random and
//                                           change state.numbers, but not state.steps
//
// and may have
//
//   M::name, method.fields(visit)           what a checkpoint compares: a static text, and the
//                                           hyper-parameters (core/fields.hpp)
//   method.initial_numbers(tasks)           the state.numbers that it keeps, as they start
//   method.loss_slopes(losses, out)         writes into out [T] what every task's gradient, shared
//                                           and private, is multiplied by first: the slope of a
//                                           function of the loss
//   method.transform(gradients, buffers, state)
//                                           changes the gradients themselves before the Gramian is
//                                           formed; a method with it costs T P numbers of memory
//   M::keeps_buffers                        true: buffers are T further vectors of P numbers, kept
//                                           between steps, zeros at first; otherwise empty
//
// Common to all methods of this folder: everything is computed in double; every result is finite
// for gradients that are zero, parallel, opposite or dependent, and for lengths between 1e-50 and
// 1e50, more than floats can have; T = 1 is legal. A task whose gradient is zero (none of its
// labels is valid in this batch) takes no part: the others are balanced as if it were not there.
// Methods are const and safe to call from any number of threads with distinct states, outputs and
// scratch, from which they take their memory: nothing is allocated once that is large enough.
//
// Gradients may as well be taken with respect to a shared representation z instead of parameters:
// g_t is then task t's cotangent of z for the whole batch, B · dim numbers, and d the cotangent
// that is propagated further (MGDA-UB, Sener and Koltun, NeurIPS 2018, is MGDA on that Gramian).
#pragma once
#include <concepts>
#include <span>

#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/method_state.hpp"

namespace plait {

// What the weights of a step are computed from.
struct BalancingInput {
  Index tasks;                          // T
  const Eigen::MatrixXd& gramian;       // [T, T], symmetric; may be empty where not needed
  std::span<const double> losses = {};  // [T]; may be empty where not needed
};

// One vector per task, all of one length: gradients with respect to the same numbers.
template <class Scalar>
using TaskSpans = std::span<const std::span<Scalar>>;

template <class M>
concept BalancingMethod = std::copyable<M> &&
    requires(const M& method, Index tasks, const BalancingInput& input, MethodState& state,
             std::span<double> out, Scratch& scratch) {
  { M::needs_gramian } -> std::convertible_to<bool>;
  method.validate(tasks);
  method.weights(input, state, out, scratch);
};

// A method that needs the gradients themselves. transform is called once per step for every block
// of the shared parameters, in order: gradients [T] of n numbers each, changed in place.
template <class M, class Scalar>
concept TransformsGradients = requires(const M& method, TaskSpans<Scalar> gradients,
                                       TaskSpans<Scalar> buffers, MethodState& state) {
  method.transform(gradients, buffers, state);
};

// A method that trains on a function of every loss.
template <class M>
concept ReshapesLosses = requires(const M& method, std::span<const double> losses,
                                  std::span<double> out) {
  method.loss_slopes(losses, out);
};

// True for a method that keeps a vector of P numbers per task.
template <BalancingMethod M>
inline constexpr bool keeps_buffers = [] {
  if constexpr (requires { M::keeps_buffers; }) {
    return M::keeps_buffers;
  } else {
    return false;
  }
}();

}  // namespace plait
