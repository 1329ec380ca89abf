#include "plait/layers/cross_stitch.hpp"
#include "trunk_learner.hpp"

namespace ranker {

std::unique_ptr<Learner> make_cross_stitch(const LearnerConfig& config) {
  return make_learner<plait::CrossStitch<float>>({.input_dim = config.input_dim,
                                                  .num_tasks = config.num_tasks(),
                                                  .levels = per_level(config.sizes),
                                                  .stitch = config.stitch},
                                                 config);
}

}  // namespace ranker
