#include "plait/layers/shared_bottom.hpp"
#include "trunk_learner.hpp"

namespace ranker {

std::unique_ptr<Learner> make_shared_bottom(const LearnerConfig& config) {
  return make_learner<plait::SharedBottom<float>>({.input_dim = config.input_dim,
                                                   .num_tasks = config.num_tasks(),
                                                   .expert = stacked(config.sizes)},
                                                  config);
}

}  // namespace ranker
