// What keeps the tasks from hurting each other while they train: nothing, weights of their losses,
// or a balancer of their gradients.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "balancing.hpp"
#include "plait/core/view.hpp"
#include "plait/io/checkpoint.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/train/trainer.hpp"

namespace ranker {

// At most one of the two is there.
struct Method {
  std::optional<plait::GradientBalancer<float>> balancer{};
  plait::BalanceAt at = plait::BalanceAt::parameters;
  std::optional<plait::LossWeighting> loss_weights{};

  // A step on a batch; returns its loss, before anything weighs it.
  double step(plait::Trainer<float>& trainer, const plait::BatchArgument<float>& x,
              const plait::Targets<float>& targets);
  // After the last step of an epoch.
  void end_epoch();
  // What a checkpoint keeps of it.
  plait::CheckpointParts<float> parts();
};

// For the tasks of a trainer. Throws plait::ConfigError for task weights that do not fit, and for a
// method or a model that cannot be balanced where it is asked for.
Method make_method(const Balancing& balancing, const plait::Trainer<float>& trainer,
                   const TaskWeights& task_weights, std::uint64_t seed);

}  // namespace ranker
