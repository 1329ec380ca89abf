// Single task: one independent network per task, the baseline that sharing has to beat.
//                                                               x [B, 1, D] -> y [B, T, H]
//   y_t = network_t(x)
//
// Routing: expert t reads slot 0; unit t has no gate and static weight 1 on expert t.
// Parameters: networks.{t}.mlp_net.{2j}.weight|bias (with the default MLP).
#pragma once
#include <string>
#include <vector>

#include "plait/layers/fusion_stack.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/routing.hpp"

namespace plait {

template <class Scalar_, Body Expert_ = MLP<Scalar_>>
class SingleTask : public FusionStack<Expert_, MLP<Scalar_>> {
  using Base = FusionStack<Expert_, MLP<Scalar_>>;

 public:
  struct Config {
    Index input_dim = 0;
    Index num_tasks = 0;
    typename Expert_::Config expert{};  // each network's layers
  };

  // Throws ConfigError for sizes below 1.
  SingleTask(ParamTable& table, const std::string& name, const Config& config)
      : Base(table, {1, config.input_dim}, {route(name, config)}, {config.expert},
             GateConfigs<MLP<Scalar_>>(1)) {}

 private:
  static LevelRoute route(const std::string& name, const Config& config) {
    check_trunk("SingleTask", config.input_dim, config.num_tasks, 1);
    LevelRoute result;
    for (Index t = 0; t < config.num_tasks; ++t) {
      result.experts.push_back({join_name(name, text("networks.", t)), 0});
      result.units.push_back({{t}, std::nullopt, StaticRoute{0, 1, std::nullopt, 0}});
    }
    return result;
  }
};

static_assert(Layer<SingleTask<float>>);

}  // namespace plait
