// The methods that weigh the tasks' losses by name.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "balancing.hpp"
#include "plait/losses/head.hpp"
#include "plait/methods/loss_weighting.hpp"

namespace ranker {

// What they are made for.
struct LossWeightsSetting {
  std::span<const plait::Head> heads{};
  TaskWeights task_weights{};
  std::uint64_t seed = 0;
};

struct LossWeightsEntry {
  std::string_view name;
  std::string_view summary;
  // Throws plait::ConfigError for task weights that do not fit.
  plait::LossWeighting (*make)(const LossWeightsSetting&);
};

// All of plait/methods that weigh losses.
std::span<const LossWeightsEntry> loss_weights();

}  // namespace ranker
