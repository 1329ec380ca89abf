// Numbers that a weighting method learns, one per task, moved by an optimizer's rule.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/memory.hpp"
#include "plait/optim/rule.hpp"

namespace plait::detail {

// [T] values, then [T] of each moment of the rule: what `learn` moves. The values all start at
// `value`.
inline std::vector<double> learned_numbers(const Rule<double>& rule, Index tasks, double value) {
  std::vector<double> numbers(static_cast<std::size_t>(tasks), value);
  const Index moments = std::ssize(rule.moment_names());
  for (Index k = 0; k < moments; ++k)
    numbers.insert(numbers.end(), static_cast<std::size_t>(tasks), rule.initial_moment(k));
  return numbers;
}

// The rule's settings among those of a method, to be read.
PLAIT_COLD inline void visit_rule(FieldVisitor& visit, const Rule<double>& rule) {
  std::string name(rule.name());
  double rate = rule.learning_rate();
  double decay = rule.weight_decay();
  visit("rule", name);
  visit("learning_rate", rate);
  visit("weight_decay", decay);
  rule.settings(visit);
}

// One step of the rule on the value of every task that has a loss, for the gradients [T] by the
// values; the values and moments of the others stay as they are. `step` counts from 1.
inline void learn(const Rule<double>& rule, Index step, std::span<const double> losses,
                  std::span<const double> gradients, std::span<double> numbers, Scratch& scratch) {
  const Scratch::Frame frame(scratch);
  const std::size_t tasks = losses.size();
  const auto moments =
      take_span<std::span<double>>(scratch, static_cast<Index>(numbers.size() / tasks) - 1);
  for (std::size_t k = 0; k < moments.size(); ++k)
    moments[k] = numbers.subspan((k + 1) * tasks, tasks);
  const UpdateStep update{
      .number = step, .learning_rate = rule.learning_rate(), .weight_decay = rule.weight_decay()};
  for (std::size_t t = 0; t < tasks; ++t) {
    if (losses[t] == 0) continue;
    // Within what rules can square.
    const double gradient = std::clamp(gradients[t], -1e100, 1e100);
    rule.update(update, numbers.subspan(t, 1), std::span<const double>(&gradient, 1),
                Moments<double>(moments, static_cast<Index>(t), 1));
  }
}

// Bounds of a learned log-weight: weights stay finite whatever the losses.
inline constexpr double largest_log_weight = 50;

// The same for log-weights s, which stay within the bounds.
inline void learn_log_weights(const Rule<double>& rule, Index step, std::span<const double> losses,
                              std::span<const double> gradients, std::span<double> numbers,
                              Scratch& scratch) {
  learn(rule, step, losses, gradients, numbers, scratch);
  for (double& s : numbers.first(losses.size()))
    s = std::clamp(s, -largest_log_weight, largest_log_weight);
}

// Throws ConfigError unless s may start there.
inline void validate_log_weight(const char* method, double initial) {
  require_config(std::abs(initial) <= largest_log_weight, method, "initial", text(initial),
                 text("a number in [", -largest_log_weight, ", ", largest_log_weight, "]"));
}

}  // namespace plait::detail
