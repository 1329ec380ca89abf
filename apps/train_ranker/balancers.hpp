// The gradient balancers by name.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/param_buffer.hpp"
#include "plait/methods/gradient_balancer.hpp"

namespace ranker {

using plait::Index;

// What a balancer is made for.
struct BalancerSetting {
  Index num_tasks = 0;
  std::shared_ptr<const plait::ParamTable> table;
  std::vector<plait::ParamRange> shared;  // see plait::Trainer::shared
  std::uint64_t seed = 0;
};

struct BalancerEntry {
  std::string_view name;
  std::string_view summary;
  plait::GradientBalancer<float> (*make)(const BalancerSetting&);
};

// All of plait/methods but RotoGrad, which needs a layer of its own in the network, and equal
// weights, which need no balancer.
std::span<const BalancerEntry> balancers();

}  // namespace ranker
