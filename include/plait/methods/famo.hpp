// FAMO: fast adaptive multitask optimization (Liu et al., NeurIPS 2023).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/methods/learned.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/per_task.hpp"
#include "plait/methods/weighting_method.hpp"
#include "plait/optim/adam.hpp"

namespace plait {

// All tasks' losses fall at one relative rate, that of the task whose log-loss falls least, by what
// the steps do to the losses instead of by gradients:
//
//   z = softmax(ξ),  D_t = L_t - least_t + 1e-8,  w_t = (z_t / D_t) / Σ_s z_s / D_s
//
// which is the gradient of Σ_t z_t log D_t but for its length. After the step, on the same batch,
//
//   δ_t = log D_t(before) - log D_t(after),  ξ <- rule(ξ, Jᵀδ),  (Jᵀδ)_t = z_t (δ_t - Σ_s z_s δ_s)
//
// so that a task that got better than the others weighs less from then on. The sums are over the
// tasks with a loss in the batch; the others' weight is 0, and their ξ stays. The rule's weight
// decay is what makes the weights forget. A step costs two forward passes more than a plain one,
// and no gradient per task.
//
// state.numbers are ξ [T], 0 at first, and the rule's moments. Source as published with the paper
// (Cranial-XIX/FAMO famo.py), whose settings are the defaults.
struct FAMO {
  std::vector<double> least = {};  // [T], what each loss cannot fall below; empty: 0 each
  Rule<double> rule = Adam{.learning_rate = 0.025, .weight_decay = 1e-3};

  static constexpr std::string_view name = "FAMO";
  static constexpr bool needs_losses = true;
  static constexpr bool needs_gradient_norms = false;
  static constexpr bool needs_losses_after = true;

  void fields(FieldVisitor& visit) {
    visit("least", least);
    detail::visit_rule(visit, rule);
  }

  // Throws ConfigError unless `least` is one finite number of at least 0 per task, and for
  // hyper-parameters of the rule out of range.
  void validate(Index tasks) const {
    detail::validate_per_task("FAMO", "least", least, tasks);
    rule.validate();
  }
  std::vector<double> initial_numbers(Index tasks) const {
    return detail::learned_numbers(rule, tasks, 0);
  }

  // Throws ValueError for a loss below the least one.
  void weights(const WeightingInput& input, MethodState& state, std::span<double> out,
               Scratch&) const {
    for (std::size_t t = 0; t < out.size(); ++t)
      if (input.losses[t] != 0 && !(input.losses[t] >= least_of(t)))
        throw ValueError("FAMO", text("loss of task ", t), text(input.losses[t]),
                         text("at least ", least_of(t)));
    shares(input.losses, state, out);
    double sum = 0;
    for (std::size_t t = 0; t < out.size(); ++t) {
      if (input.losses[t] == 0) continue;
      out[t] /= distance(t, input.losses[t]);
      sum += out[t];
    }
    for (double& w : out) w = sum > 0 ? w / sum : 0;
  }

  // Learns nothing from a step that led a loss to the least one or below it.
  void update(const WeightingInput& input, MethodState& state, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const auto z = detail::take_span<double>(scratch, input.tasks);
    const auto gradient = detail::take_span<double>(scratch, input.tasks);
    shares(input.losses, state, z);
    double mean = 0;
    for (std::size_t t = 0; t < z.size(); ++t) {
      gradient[t] = 0;
      if (input.losses[t] == 0) continue;
      if (!(input.losses_after[t] > least_of(t))) return;
      const double after = distance(t, input.losses_after[t]);
      gradient[t] = std::log(distance(t, input.losses[t])) - std::log(after);
      mean += z[t] * gradient[t];
    }
    for (std::size_t t = 0; t < z.size(); ++t) gradient[t] = z[t] * (gradient[t] - mean);
    detail::learn(rule, state.steps + 1, input.losses, gradient, state.numbers, scratch);
  }

 private:
  double least_of(std::size_t t) const { return detail::per_task(least, static_cast<Index>(t), 0); }
  double distance(std::size_t t, double loss) const { return loss - least_of(t) + 1e-8; }

  // z [T], 0 for a task without a loss.
  static void shares(std::span<const double> losses, const MethodState& state,
                     std::span<double> z) {
    double top = 0;
    bool is_first = true;
    for (std::size_t t = 0; t < z.size(); ++t) {
      if (losses[t] == 0) continue;
      top = is_first ? state.numbers[t] : (std::max)(top, state.numbers[t]);
      is_first = false;
    }
    double sum = 0;
    for (std::size_t t = 0; t < z.size(); ++t) {
      z[t] = losses[t] == 0 ? 0 : std::exp(state.numbers[t] - top);
      sum += z[t];
    }
    for (double& share : z) share = sum > 0 ? share / sum : 0;
  }
};

static_assert(WeightingMethod<FAMO>);

}  // namespace plait
