// The gradient balancers by name, type-erased: a trainer is then compiled once for each
// architecture and not for each method as well.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/params.hpp"
#include "plait/io/checkpoint.hpp"

namespace ranker {

using plait::Index;

// A plait::GradientBalancer.
class Balancer {
 public:
  virtual ~Balancer() = default;
  virtual void combine(std::span<plait::ParamBuffer<float>> gradients,
                       std::span<const double> losses, plait::ParamBuffer<float>& out) = 0;
  virtual void store(plait::Progress<float>& progress) const = 0;
  virtual void restore(const plait::Progress<float>& progress) = 0;
};

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
  std::unique_ptr<Balancer> (*make)(const BalancerSetting&);
};

// All of plait/balance but RotoGrad, which needs a layer of its own in the network, and equal
// weights, which need no balancer.
std::span<const BalancerEntry> balancers();

}  // namespace ranker
