#include "plait/layers/mmoe.hpp"
#include "trunk_learner.hpp"

namespace ranker {

std::unique_ptr<Learner> make_ml_mmoe(const LearnerConfig& config) {
  return make_learner<plait::MLMMoE<float>>({.input_dim = config.input_dim,
                                             .num_tasks = config.num_tasks(),
                                             .num_experts = config.sizes.experts,
                                             .levels = per_level(config.sizes)},
                                            config);
}

}  // namespace ranker
