#include "plait/layers/mmoe.hpp"
#include "trunk_learner.hpp"

namespace ranker {

std::unique_ptr<Learner> make_mmoe(const LearnerConfig& config) {
  return make_learner<plait::MMoE<float>>({.input_dim = config.input_dim,
                                           .num_tasks = config.num_tasks(),
                                           .num_experts = config.sizes.experts,
                                           .expert = stacked(config.sizes)},
                                          config);
}

}  // namespace ranker
