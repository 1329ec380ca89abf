// Shared bottom: one network for all tasks.   x [B, 1, D] -> y [B, T, H]
//
//   h = bottom(x),  y_t = h for every task t
//
// Routing: one expert reading slot 0; T units without a gate, static weight 1 on it.
// Parameters: bottom_projection.mlp_net.{2j}.weight|bias (with the default MLP).
// Source: Caruana, "Multitask Learning", 1997; facebookresearch/AdaTT mtl_lib.py, SharedBottom.
#pragma once
#include <string>
#include <vector>

#include "plait/layers/fusion_stack.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/routing.hpp"

namespace plait {

template <class Scalar_, Body Expert_ = MLP<Scalar_>>
class SharedBottom : public FusionStack<Expert_, MLP<Scalar_>> {
  using Base = FusionStack<Expert_, MLP<Scalar_>>;

 public:
  struct Config {
    Index input_dim = 0;
    Index num_tasks = 0;
    typename Expert_::Config expert{};  // the bottom's layers
  };

  // Throws ConfigError for sizes below 1.
  SharedBottom(ParamTable& table, const std::string& name, const Config& config)
      : Base(table, {1, config.input_dim}, {route(name, config)}, {config.expert},
             GateConfigs<MLP<Scalar_>>(1)) {}

 private:
  static LevelRoute route(const std::string& name, const Config& config) {
    check_trunk("SharedBottom", config.input_dim, config.num_tasks, 1);
    const UnitRoute unit{{0}, std::nullopt, StaticRoute{0, 1, std::nullopt, 0}};
    return {{{join_name(name, "bottom_projection"), 0}},
            std::vector<UnitRoute>(static_cast<std::size_t>(config.num_tasks), unit)};
  }
};

static_assert(Layer<SharedBottom<float>>);

}  // namespace plait
