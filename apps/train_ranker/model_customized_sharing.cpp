#include "plait/layers/customized_sharing.hpp"
#include "trunk_learner.hpp"

namespace ranker {

std::unique_ptr<Learner> make_customized_sharing(const LearnerConfig& config) {
  return make_learner<plait::CustomizedSharing<float>>({.input_dim = config.input_dim,
                                                        .num_tasks = config.num_tasks(),
                                                        .expert = stacked(config.sizes)},
                                                       config);
}

}  // namespace ranker
