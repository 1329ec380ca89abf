#include "plait/layers/adatt.hpp"
#include "trunk_learner.hpp"

namespace ranker {

std::unique_ptr<Learner> make_adatt(const LearnerConfig& config) {
  return make_learner<plait::AdaTT<float>>(
      {.input_dim = config.input_dim,
       .num_tasks = config.num_tasks(),
       .levels = per_level(config.sizes),
       .task_experts = {config.experts_per_task(config.sizes.shared_experts)},
       .shared_experts = config.sizes.shared_experts},
      config);
}

}  // namespace ranker
