// GradNorm: gradient norms that follow the tasks' training rates (Chen et al., ICML 2018, algorithm
// 1).
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/weighting/learned.hpp"
#include "plait/weighting/weighting.hpp"

namespace plait {

// With n_t = ‖∇_W L_t‖ of the unweighted losses over one shared layer W, usually the last:
//
//   G_t = w_t n_t,  Ḡ = mean of G;   r_t = (L_t / L_t(0)) / mean of those ratios
//   objective = Σ_t |G_t - Ḡ r_t^alpha|, Ḡ r_t^alpha being a constant
//   gradient by w_t = sign(G_t - Ḡ r_t^alpha) n_t; a step of the rule; then Σ_t w_t = T again
//
// r_t is each task's own: one rate for all would leave only the norms to balance. w_t starts at 1
// and does not fall below 0; L_t(0) is the task's first loss. The means are over the tasks with a
// loss in the batch; the others' weights only take part in the last line. state.numbers are w [T],
// the rule's moments, and L(0) [T], 0 while there was none.
template <OptimizerRule<double> Rule = SGD>
struct GradNorm {
  double alpha = 1.5;
  Rule rule = {.learning_rate = 0.025};

  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = true;

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

  Eigen::VectorXd weights(const WeightingInput& input, MethodState& state) const {
    return Eigen::Map<const Eigen::VectorXd>(state.numbers.data(), input.tasks);
  }

  // Throws ValueError for a loss below 0, which has no rate, before anything is changed.
  void update(const WeightingInput& input, MethodState& state) const {
    for (Index t = 0; t < input.tasks; ++t) {
      const double loss = input.losses[static_cast<std::size_t>(t)];
      if (loss < 0)
        throw ValueError("GradNorm", text("loss of task ", t), text(loss), "at least 0");
    }
    Eigen::Map<Eigen::ArrayXd> first = first_losses(state.numbers, input.tasks);
    first = (first == 0)
                .select(Eigen::Map<const Eigen::ArrayXd>(input.losses.data(), input.tasks), first);
    const Eigen::VectorXd gradients = gradient(input, state);
    const std::span<double> learned =
        std::span(state.numbers).first(state.numbers.size() - input.losses.size());
    detail::learn(rule, state.steps + 1, input.losses, gradients, learned);
    Eigen::Map<Eigen::ArrayXd> w(state.numbers.data(), input.tasks);
    w = w.max(0);
    if (w.sum() > 0)
      w *= static_cast<double>(input.tasks) / w.sum();
    else
      w = 1;
  }

  // Of the objective by w [T], for losses of which every task has had one; 0 for a task without one
  // in this batch.
  Eigen::VectorXd gradient(const WeightingInput& input, const MethodState& state) const {
    const Index tasks = input.tasks;
    const Eigen::Map<const Eigen::ArrayXd> w(state.numbers.data(), tasks);
    const Eigen::Map<const Eigen::ArrayXd> losses(input.losses.data(), tasks);
    const Eigen::Map<const Eigen::ArrayXd> norms(input.gradient_norms.data(), tasks);
    const Eigen::Array<bool, Eigen::Dynamic, 1> present = losses != 0;
    const auto count = static_cast<double>(present.count());
    if (count == 0) return Eigen::VectorXd::Zero(tasks);
    const Eigen::ArrayXd lengths = present.select(w * norms, 0.0);
    const Eigen::ArrayXd ratios = present.select(losses / first_losses(state.numbers, tasks), 0.0);
    const Eigen::ArrayXd rates = ratios / (ratios.sum() / count);
    const Eigen::ArrayXd targets = lengths.sum() / count * rates.pow(alpha);
    return present.select((lengths - targets).sign() * norms, 0.0).matrix();
  }

 private:
  // L(0) [T], the last of the numbers, const or not.
  template <class Numbers>
  static auto first_losses(Numbers& numbers, Index tasks) {
    using Array =
        std::conditional_t<std::is_const_v<Numbers>, const Eigen::ArrayXd, Eigen::ArrayXd>;
    return Eigen::Map<Array>(numbers.data() + std::ssize(numbers) - tasks, tasks);
  }
};

static_assert(Weighting<GradNorm<>>);

}  // namespace plait
