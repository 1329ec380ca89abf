#include "plait/layers/asymmetric.hpp"
#include "trunk_learner.hpp"

namespace ranker {

std::unique_ptr<Learner> make_asymmetric_sharing(const LearnerConfig& config) {
  // Task t sees all tasks before it.
  std::vector<std::vector<Index>> sources(config.heads.size());
  for (std::size_t t = 0; t < sources.size(); ++t)
    for (std::size_t s = 0; s < t; ++s) sources[t].push_back(static_cast<Index>(s));
  return make_learner<plait::AsymmetricSharing<float>>({.input_dim = config.input_dim,
                                                        .num_tasks = config.num_tasks(),
                                                        .expert = stacked(config.sizes),
                                                        .sources = sources},
                                                       config);
}

}  // namespace ranker
