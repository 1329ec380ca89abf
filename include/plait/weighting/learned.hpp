// Numbers that a weighting method learns, one per task, moved by an optimizer's rule.
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/params.hpp"
#include "plait/optim/rule.hpp"

namespace plait::detail {

// [T] values, then [T] of each moment of the rule: what `learn` moves. The values all start at
// `value`.
template <OptimizerRule<double> Rule>
std::vector<double> learned_numbers(const Rule& rule, Index tasks, double value) {
  std::vector<double> numbers(static_cast<std::size_t>(tasks), value);
  const Index moments = std::ssize(rule.moment_names());
  for (Index k = 0; k < moments; ++k) {
    double start = 0;
    if constexpr (requires { rule.initial_moment(Index{}); }) start = rule.initial_moment(k);
    numbers.insert(numbers.end(), static_cast<std::size_t>(tasks), start);
  }
  return numbers;
}

// One step of the rule on the value of every task that has a loss, for the gradients [T] by the
// values; the values and moments of the others stay as they are. `step` counts from 1.
template <OptimizerRule<double> Rule>
void learn(const Rule& rule, Index step, std::span<const double> losses,
           const Eigen::VectorXd& gradients, std::span<double> numbers) {
  const std::size_t tasks = losses.size();
  auto table = std::make_shared<ParamTable>();
  const ParamId id = table->add_vector("value", 1, Init::constant(0));
  std::vector<ParamBuffer<double>> buffers(numbers.size() / tasks, ParamBuffer<double>(table));
  const UpdateStep update{
      .number = step, .learning_rate = rule.learning_rate, .weight_decay = rule.weight_decay};
  for (std::size_t t = 0; t < tasks; ++t) {
    if (losses[t] == 0) continue;
    for (std::size_t k = 0; k < buffers.size(); ++k) buffers[k].of(id)[0] = numbers[k * tasks + t];
    // Within what rules can square.
    const double gradient = std::clamp(gradients[static_cast<Index>(t)], -1e100, 1e100);
    rule.update(update, buffers[0].of(id), std::span<const double>(&gradient, 1),
                Moments<double>(std::span(buffers).subspan(1), id));
    for (std::size_t k = 0; k < buffers.size(); ++k) numbers[k * tasks + t] = buffers[k].of(id)[0];
  }
}

// Bounds of a learned log-weight: weights stay finite whatever the losses.
inline constexpr double largest_log_weight = 50;

// The same for log-weights s, which stay within the bounds.
template <OptimizerRule<double> Rule>
void learn_log_weights(const Rule& rule, Index step, std::span<const double> losses,
                       const Eigen::VectorXd& gradients, std::vector<double>& numbers) {
  learn(rule, step, losses, gradients, numbers);
  for (std::size_t t = 0; t < losses.size(); ++t)
    numbers[t] = std::clamp(numbers[t], -largest_log_weight, largest_log_weight);
}

// Throws ConfigError unless s may start there.
inline void validate_log_weight(const char* method, double initial) {
  require_config(std::abs(initial) <= largest_log_weight, method, "initial", text(initial),
                 text("a number in [", -largest_log_weight, ", ", largest_log_weight, "]"));
}

}  // namespace plait::detail
