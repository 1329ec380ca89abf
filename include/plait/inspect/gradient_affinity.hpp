// Which tasks help each other while they are trained together.
//
//   Z_ij = (L_j(θ_s, θ_j) - L_j(θ_s - η ∇_s L_i, θ_j)) / |L_j(θ_s, θ_j)|
//
// how much of task j's loss a step of task i's gradient in the shared parameters s takes away;
// below 0 where it adds to it. Average it over the steps of a run, and group tasks by it:
//
//   affinity += lookahead_affinity(trainer, x, targets, 1e-3) / steps;
//   const Partition groups = group_tasks(affinity, 2);            a model for each
//
// Source: Fifty et al., "Efficiently Identifying Task Groupings for Multi-Task Learning", NeurIPS
// 2021.
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/representable.hpp"
#include "plait/core/tensor.hpp"
#include "plait/core/view.hpp"
#include "plait/inspect/partitions.hpp"
#include "plait/losses/targets.hpp"
#include "plait/train/trainer.hpp"

namespace plait {

// Z [T, T], row i of the gradient of task i, weight_i included; 0 where task j has no label that
// counts, or no loss. Not finite where the step leads to a loss without bounds. Of a network that
// draws, losses are those of its served form. Costs a step's
// gradients of all tasks and T + 1 forward passes; allocates. The model's values are afterwards
// what they were. Throws ConfigError for a rate that is not above 0, and what
// compute_task_gradients throws.
template <class Scalar>
PLAIT_COLD Matrix<double> lookahead_affinity(Trainer<Scalar>& trainer, BatchArgument<Scalar> x,
                                             const Targets<Scalar>& targets, double rate) {
  require_config(std::isfinite(rate) && rate > 0, "lookahead_affinity", "rate", text(rate),
                 "a finite number above 0");
  require_representable<Scalar>("lookahead_affinity", "rate", rate);
  const Index tasks = trainer.num_tasks();
  trainer.compute_task_gradients(x, targets);
  const ParamBuffer<Scalar> values = trainer.model().values();
  ParamBuffer<Scalar> moved = values;
  std::vector<double> normaliser;
  trainer.loss().normaliser(targets, normaliser);
  Tensor<Scalar> logits(targets.labels.batch(), 1, trainer.loss().width());
  const auto losses = [&](const ParamBuffer<Scalar>& at) {
    std::vector<double> result(static_cast<std::size_t>(tasks));
    trainer.load(at);
    trainer.score(x, logits);
    trainer.loss().evaluate(logits, targets, normaliser, {}, result);
    return result;
  };
  Matrix<double> result = Matrix<double>::Zero(tasks, tasks);
  try {
    const std::vector<double> before = losses(values);
    for (Index i = 0; i < tasks; ++i) {
      const auto gradient = trainer.task_gradients()[static_cast<std::size_t>(i)].flat();
      for (const ParamRange& range : trainer.shared())
        for (Index k = range.offset; k < range.end(); ++k) {
          const auto at = static_cast<std::size_t>(k);
          moved.flat()[at] = values.flat()[at] - static_cast<Scalar>(rate) * gradient[at];
        }
      const std::vector<double> after = losses(moved);
      for (Index j = 0; j < tasks; ++j) {
        const auto at = static_cast<std::size_t>(j);
        if (before[at] != 0) result(i, j) = (before[at] - after[at]) / std::abs(before[at]);
      }
    }
  } catch (...) {
    trainer.load(values);
    throw;
  }
  trainer.load(values);
  return result;
}

// The partition into at most so many groups in which tasks gain most from those beside them,
// Σ_j mean_{i in j's group, i ≠ j} Z_ij; a task alone gains 0. Of equal ones the first. Throws
// ConfigError for another than a square of finite numbers, more than most_partitioned tasks, and no
// group.
PLAIT_COLD inline Partition group_tasks(const Matrix<double>& affinity, Index most_groups) {
  const Index tasks = affinity.rows();
  require_config(
      tasks >= 1 && tasks <= most_partitioned && affinity.cols() == tasks && affinity.allFinite(),
      "group_tasks", "affinity", text(tasks, " by ", affinity.cols()),
      text("finite numbers of 1 to ", most_partitioned, " tasks"));
  require_config(most_groups >= 1, "group_tasks", "most_groups", text(most_groups), "at least 1");
  Partition best;
  double most = -std::numeric_limits<double>::infinity();
  for_each_partition(tasks, most_groups, [&](const Partition& groups) {
    double gain = 0;
    for (Index j = 0; j < tasks; ++j) {
      double sum = 0;
      Index others = 0;
      for (Index i = 0; i < tasks; ++i) {
        if (i == j || groups[static_cast<std::size_t>(i)] != groups[static_cast<std::size_t>(j)])
          continue;
        sum += affinity(i, j);
        ++others;
      }
      if (others > 0) gain += sum / static_cast<double>(others);
    }
    if (gain <= most) return;
    most = gain;
    best = groups;
  });
  return best;
}

}  // namespace plait
