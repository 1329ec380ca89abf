#include "plait/layers/single_task.hpp"
#include "trunk_learner.hpp"

namespace ranker {

std::unique_ptr<Learner> make_single_task(const LearnerConfig& config) {
  return make_learner<plait::SingleTask<float>>({.input_dim = config.input_dim,
                                                 .num_tasks = config.num_tasks(),
                                                 .expert = stacked(config.sizes)},
                                                config);
}

}  // namespace ranker
