// Single task: one independent network per task, the baseline that sharing has to beat.
//                                                               x [B, 1, D] -> y [B, T, H]
//   y_t = network_t(x)
//
// Routing: expert t reads slot 0; unit t has no gate and static weight 1 on expert t.
// Parameters: networks.{t}.mlp_net.{2j}.weight|bias (with the default MLP).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/fields.hpp"
#include "plait/fusion/route.hpp"
#include "plait/fusion/units.hpp"

namespace plait {

struct SingleTask {
  Index input_dim = 0;
  Index num_tasks = 0;
  Body expert{};  // each network's layers

  static constexpr std::string_view name = "SingleTask";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("expert", expert);
  }

  // Throws ConfigError for sizes below 1.
  PLAIT_COLD Plan plan(ParamTable& table, const std::string& prefix) const {
    check_trunk(table, "SingleTask", input_dim, num_tasks, 1);
    const UnitExperts experts(table, num_tasks, 1, "SingleTask");
    LevelPlan level{.expert = expert};
    for (Index t = 0; t < num_tasks; ++t) {
      level.route.experts.push_back({join_name(prefix, text("networks.", t))});
      level.route.units.push_back({.experts = experts.of({t}), .statics = StaticRoute{0, 1}});
    }
    return {{1, input_dim}, {level}};
  }
};

}  // namespace plait
