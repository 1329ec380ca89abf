#include "method.hpp"

#include "balancers.hpp"
#include "loss_weights.hpp"

namespace ranker {

double Method::step(plait::Trainer<float>& trainer, const plait::BatchArgument<float>& x,
                    const plait::Targets<float>& targets) {
  if (balancer) return trainer.step(x, targets, *balancer, at);
  if (loss_weights) return trainer.step(x, targets, *loss_weights);
  return trainer.step(x, targets);
}

void Method::end_epoch() {
  if (loss_weights) loss_weights->end_epoch();
}

plait::CheckpointParts<float> Method::parts() {
  plait::CheckpointParts<float> result;
  if (balancer) result.push_back({"balancer", *balancer});
  if (loss_weights) result.push_back({"loss_weights", *loss_weights});
  return result;
}

Method make_method(const Balancing& balancing, const plait::Trainer<float>& trainer,
                   const TaskWeights& task_weights, std::uint64_t seed) {
  Method result{.at = balancing.at};
  for (const BalancerEntry& entry : balancers())
    if (entry.name == balancing.balancer)
      result.balancer.emplace(entry.make({.num_tasks = trainer.num_tasks(),
                                          .table = trainer.model().shared_table(),
                                          .shared = trainer.shared(),
                                          .seed = seed}));
  if (result.balancer && result.at == plait::BalanceAt::representation) {
    result.balancer->require_weighs(trainer.num_tasks());
    plait::Representation<float>(trainer.model().network(), trainer.reach());
  }
  for (const LossWeightsEntry& entry : loss_weights())
    if (entry.name == balancing.loss_weights)
      result.loss_weights.emplace(entry.make(
          {.heads = trainer.loss().heads(), .task_weights = task_weights, .seed = seed}));
  return result;
}

}  // namespace ranker
