// IMTL-L: losses scaled to the same size (Liu et al., ICLR 2021).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/fields.hpp"
#include "plait/methods/learned.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/weighting_method.hpp"
#include "plait/optim/adam.hpp"

namespace plait {

//   objective = Σ_t (e^(s_t) L_t - s_t),  w_t = e^(s_t)
//
// s_t is learned by a rule of its own; at rest s_t = -log L_t, so that every w_t L_t = 1.
// state.numbers are s [T] and the rule's moments.
struct IMTLL {
  double initial = 0;  // s_t at first
  Rule<double> rule = Adam{};

  static constexpr std::string_view name = "IMTLL";
  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = false;

  void fields(FieldVisitor& visit) {
    visit("initial", initial);
    detail::visit_rule(visit, rule);
  }

  // Throws ConfigError for an initial value outside [-50, 50] and hyper-parameters of the rule out
  // of range.
  void validate(Index) const {
    detail::validate_log_weight("IMTLL", initial);
    rule.validate();
  }
  std::vector<double> initial_numbers(Index tasks) const {
    return detail::learned_numbers(rule, tasks, initial);
  }

  void weights(const WeightingInput& input, MethodState& state, std::span<double> out,
               Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    detail::Numbers w = detail::take_numbers(scratch, input.tasks);
    std::copy_n(state.numbers.data(), input.tasks, w.data());
    detail::exp_all(w);
    detail::copy(w, out);
  }

  // s [T] moves along the objective's gradient, and stays within [-50, 50].
  void update(const WeightingInput& input, MethodState& state, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const auto by_s = detail::take_span<double>(scratch, input.tasks);
    gradient(input.losses, state, by_s);
    detail::learn_log_weights(rule, state.steps + 1, input.losses, by_s, state.numbers, scratch);
  }

  // Σ_t (e^(s_t) L_t - s_t), over the tasks with a loss.
  double objective(std::span<const double> losses, const MethodState& state) const {
    double sum = 0;
    for (std::size_t t = 0; t < losses.size(); ++t)
      if (losses[t] != 0) sum += std::exp(state.numbers[t]) * losses[t] - state.numbers[t];
    return sum;
  }

  // Of the objective by s [T]; 0 for a task without a loss.
  void gradient(std::span<const double> losses, const MethodState& state,
                std::span<double> out) const {
    for (std::size_t t = 0; t < losses.size(); ++t)
      out[t] = losses[t] != 0 ? std::exp(state.numbers[t]) * losses[t] - 1 : 0;
  }
};

static_assert(WeightingMethod<IMTLL>);

}  // namespace plait
