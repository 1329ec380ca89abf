// Uncertainty weighting (Kendall et al., CVPR 2018).
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/methods/learned.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/weighting_method.hpp"
#include "plait/optim/adam.hpp"

namespace plait {

// What a task adds to the objective, s = log σ² being learned:
enum class Uncertainty {
  regression,      // ½ e^(-s) L + ½ s; most libraries use it for every task
  classification,  //   e^(-s) L + ½ s
  clamped,         // 2 e^(-s) L + s with s cut off at 0, where it has no gradient: torch-rechub
};
template <>
struct EnumNames<Uncertainty> {
  static constexpr std::array<std::string_view, 3> names{"regression", "classification", "clamped"};
};

//   objective = Σ_t (w_t L_t + r_t),  w_t = ½ e^(-s_t), e^(-s_t) or 2 e^(-s_t)
//
// The network is trained on Σ w_t L_t, and s_t by a rule of its own. At rest, w_t L_t = ½ (1 if
// clamped). state.numbers are s [T] and the rule's moments. A loss below 0 drives s_t to its lower
// bound.
struct UncertaintyWeights {
  std::vector<Uncertainty> forms = {};  // [T]; empty: regression for every task
  double initial = 0;                   // s_t at first
  Rule<double> rule = Adam{};

  static constexpr std::string_view name = "UncertaintyWeights";
  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = false;

  void fields(FieldVisitor& visit) {
    visit("forms", forms);
    visit("initial", initial);
    detail::visit_rule(visit, rule);
  }

  // Throws ConfigError for forms that are not one per task, an initial value outside [-50, 50], and
  // hyper-parameters of the rule out of range.
  void validate(Index tasks) const {
    require_config(forms.empty() || std::ssize(forms) == tasks, "UncertaintyWeights", "forms",
                   text(forms.size()), text(tasks, ", one per task, or none"));
    detail::validate_log_weight("UncertaintyWeights", initial);
    rule.validate();
  }
  std::vector<double> initial_numbers(Index tasks) const {
    return detail::learned_numbers(rule, tasks, initial);
  }

  void weights(const WeightingInput&, MethodState& state, std::span<double> out, Scratch&) const {
    for (std::size_t t = 0; t < out.size(); ++t)
      out[t] = factor(t) * std::exp(-cut(t, state.numbers[t]));
  }

  // s [T] moves along the objective's gradient, and stays within [-50, 50].
  void update(const WeightingInput& input, MethodState& state, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const auto by_s = detail::take_span<double>(scratch, input.tasks);
    gradient(input.losses, state, by_s);
    detail::learn_log_weights(rule, state.steps + 1, input.losses, by_s, state.numbers, scratch);
  }

  // Σ_t (w_t L_t + r_t), over the tasks with a loss.
  double objective(std::span<const double> losses, const MethodState& state) const {
    double sum = 0;
    for (std::size_t t = 0; t < losses.size(); ++t) {
      const double s = cut(t, state.numbers[t]);
      if (losses[t] != 0) sum += factor(t) * std::exp(-s) * losses[t] + slope(t) * s;
    }
    return sum;
  }

  // Of the objective by s [T]; 0 for a task without a loss.
  void gradient(std::span<const double> losses, const MethodState& state,
                std::span<double> out) const {
    for (std::size_t t = 0; t < losses.size(); ++t) {
      const double s = state.numbers[t];
      const bool moves = losses[t] != 0 && s == cut(t, s);
      out[t] = moves ? slope(t) - factor(t) * std::exp(-s) * losses[t] : 0;
    }
  }

 private:
  Uncertainty form(std::size_t t) const {
    return forms.empty() ? Uncertainty::regression : forms[t];
  }
  // w_t = factor e^(-s), r_t = slope s.
  double factor(std::size_t t) const {
    switch (form(t)) {
      case Uncertainty::classification:
        return 1;
      case Uncertainty::clamped:
        return 2;
      case Uncertainty::regression:
        break;
    }
    return 0.5;
  }
  double slope(std::size_t t) const { return form(t) == Uncertainty::clamped ? 1 : 0.5; }
  double cut(std::size_t t, double s) const {
    return form(t) == Uncertainty::clamped ? (std::max)(s, 0.0) : s;
  }
};

static_assert(WeightingMethod<UncertaintyWeights>);

}  // namespace plait
