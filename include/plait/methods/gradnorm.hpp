// GradNorm: gradient norms that follow the tasks' training rates (Chen et al., ICML 2018, algorithm
// 1).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/methods/factor.hpp"
#include "plait/methods/learned.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/weighting_method.hpp"
#include "plait/optim/sgd.hpp"

namespace plait {

// With n_t = ‖∇_W L_t‖ of the unweighted losses over one shared layer W, usually the last:
//
//   G_t = w_t n_t,  Ḡ = mean of G;   r_t = (L_t / L_t(0)) / mean of those ratios
//   objective = Σ_t |G_t - Ḡ r_t^alpha|, Ḡ r_t^alpha being a constant
//   gradient by w_t = sign(G_t - Ḡ r_t^alpha) n_t; a step of the rule; then Σ_t w_t = T again
//
// r_t is each task's own: one rate for all would leave only the norms to balance. w_t starts at 1
// and does not fall below 0, nor a step of the rule beyond what float holds; L_t(0) is the task's
// first loss. The means are over the tasks with a loss in the batch; the others' weights only take
// part in the last line. state.numbers are w [T], the rule's moments, and L(0) [T], 0 while there
// was none.
struct GradNorm {
  double alpha = 1.5;
  Rule<double> rule = SGD{.learning_rate = 0.025};

  static constexpr std::string_view name = "GradNorm";
  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = true;

  void fields(FieldVisitor& visit) {
    visit("alpha", alpha);
    detail::visit_rule(visit, rule);
  }

  // Throws ConfigError unless alpha is a finite number of at least 0, and for hyper-parameters of
  // the rule out of range.
  void validate(Index) const {
    require_config(std::isfinite(alpha) && alpha >= 0, "GradNorm", "alpha", text(alpha),
                   "a finite number of at least 0");
    rule.validate();
  }
  std::vector<double> initial_numbers(Index tasks) const {
    std::vector<double> numbers = detail::learned_numbers(rule, tasks, 1);
    numbers.insert(numbers.end(), static_cast<std::size_t>(tasks), 0.0);
    return numbers;
  }

  void weights(const WeightingInput&, MethodState& state, std::span<double> out, Scratch&) const {
    std::copy_n(state.numbers.begin(), out.size(), out.begin());
  }

  // Throws ValueError for a loss below 0, which has no rate, before anything is changed.
  void update(const WeightingInput& input, MethodState& state, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const std::size_t tasks = input.losses.size();
    for (std::size_t t = 0; t < tasks; ++t)
      if (input.losses[t] < 0)
        throw ValueError("GradNorm", text("loss of task ", t), text(input.losses[t]), "at least 0");
    const std::span<double> numbers = state.numbers;
    const std::span<double> first = numbers.last(tasks);
    for (std::size_t t = 0; t < tasks; ++t)
      if (first[t] == 0) first[t] = input.losses[t];
    const auto by_w = detail::take_span<double>(scratch, input.tasks);
    gradient(input, state, by_w, scratch);
    detail::learn(rule, state.steps + 1, input.losses, by_w, numbers.first(numbers.size() - tasks),
                  scratch);
    const std::span<double> w = numbers.first(tasks);
    for (double& weight : w) weight = std::clamp(weight, 0.0, detail::largest_factor);
    const double sum = detail::sum(detail::Numbers(w.data(), input.tasks));
    for (double& weight : w)
      weight = sum > 0 ? weight * (static_cast<double>(input.tasks) / sum) : 1;
  }

  // Of the objective by w [T], for losses of which every task has had one; 0 for a task without one
  // in this batch.
  void gradient(const WeightingInput& input, const MethodState& state, std::span<double> out,
                Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const std::span<const double> numbers = state.numbers;
    const std::span<const double> w = numbers.first(input.losses.size());
    const std::span<const double> first = numbers.last(input.losses.size());
    detail::Numbers lengths = detail::take_numbers(scratch, input.tasks);
    detail::Numbers rates = detail::take_numbers(scratch, input.tasks);
    double count = 0;
    for (Index t = 0; t < input.tasks; ++t) {
      const auto task = static_cast<std::size_t>(t);
      const bool present = input.losses[task] != 0;
      count += present ? 1 : 0;
      lengths[t] = present ? w[task] * input.gradient_norms[task] : 0;
      rates[t] = present ? input.losses[task] / first[task] : 0;
    }
    if (count == 0) return std::fill(out.begin(), out.end(), 0.0);
    const double mean_rate = detail::sum(rates) / count;
    for (double& rate : rates) rate /= mean_rate;
    detail::pow_all(rates, alpha);
    const double mean_length = detail::sum(lengths) / count;
    for (Index t = 0; t < input.tasks; ++t) {
      const auto task = static_cast<std::size_t>(t);
      const double excess = lengths[t] - mean_length * rates[t];
      const double sign = excess > 0 ? 1 : excess < 0 ? -1 : 0;
      out[task] = input.losses[task] != 0 ? sign * input.gradient_norms[task] : 0;
    }
  }
};

static_assert(WeightingMethod<GradNorm>);

}  // namespace plait
