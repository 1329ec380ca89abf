// Shared bottom: one network for all tasks.   x [B, 1, D] -> y [B, T, H]
//
//   h = bottom(x),  y_t = h for every task t
//
// Routing: one expert reading slot 0; T units without a gate, static weight 1 on it.
// Parameters: bottom_projection.mlp_net.{2j}.weight|bias (with the default MLP).
// Source: Caruana, "Multitask Learning", 1997; facebookresearch/AdaTT mtl_lib.py, SharedBottom.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/fields.hpp"
#include "plait/fusion/route.hpp"
#include "plait/fusion/units.hpp"

namespace plait {

struct SharedBottom {
  Index input_dim = 0;
  Index num_tasks = 0;
  Body expert{};  // the bottom's layers

  static constexpr std::string_view name = "SharedBottom";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("expert", expert);
  }

  // Throws ConfigError for sizes below 1.
  PLAIT_COLD Plan plan(ParamTable& table, const std::string& prefix) const {
    check_trunk(table, "SharedBottom", input_dim, num_tasks, 1);
    const UnitExperts bottom(table, 1, 1, "SharedBottom");
    LevelPlan level{.expert = expert};
    level.route.experts = {{join_name(prefix, "bottom_projection")}};
    for (Index t = 0; t < num_tasks; ++t)
      level.route.units.push_back({.experts = bottom.all(), .statics = StaticRoute{0, 1}});
    return {{1, input_dim}, {level}};
  }
};

}  // namespace plait
