// MMoE and multi-level MMoE: experts shared by all tasks, one gate per task.
//                                                               x [B, 1, D] -> y [B, T, H_L]
//   E^l_k = expert^l_k(y^{l-1}_k),   y^l_i = Σ_k g^l_i,k(x) E^l_k,   y^0_k = x
//
// with i = 1 ... T at the last level and i = 1 ... n below it, where every expert above counts as a
// task. All gates, at every level, read the original input x. MMoE is the case of one level.
//
// Routing: expert k reads slot k (slot 0 at the first level); every unit gates all experts.
// Parameters: experts.{l}.{k}.mlp_net.{2j}.weight|bias; gates.{l}.{i}.0.mlp_net.{2j}.weight|bias
// for hidden layers of gates, if any; gates.{l}.{i}.1.weight [n, ·] and .bias [n]. Source: Ma et
// al., "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts", KDD
// 2018, eqs. 6-8; the levels: Ma et al., "SNR", AAAI 2019, and Tang et al. (PLE), RecSys 2020,
// section 5.1.2; facebookresearch/AdaTT mtl_lib.py, MLMMoE.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/each.hpp"
#include "plait/core/fields.hpp"
#include "plait/fusion/route.hpp"
#include "plait/fusion/units.hpp"

namespace plait {

struct MLMMoE {
  Index input_dim = 0;
  Index num_tasks = 0;
  Index num_experts = 0;       // per level
  std::vector<Body> levels{};  // one expert description per level
  std::vector<GateConfig> gates =
      std::vector<GateConfig>(1);  // one for all levels, or one per level

  static constexpr std::string_view name = "MLMMoE";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("num_experts", num_experts);
    visit("levels", levels);
    visit("gates", gates);
  }

  // Throws ConfigError, in the name of `where`, for sizes below 1.
  PLAIT_COLD Plan plan(ParamTable& table, const std::string& prefix,
                       const std::string& where = "MLMMoE") const {
    check_trunk(table, where, input_dim, num_tasks, levels.size());
    require_config(num_experts >= 1, where, "num_experts", text(num_experts), "at least 1");
    const UnitExperts experts(table, num_experts, 1, where);
    const Each gate(gates, std::ssize(levels), where, "gates");
    Plan result{{1, input_dim}, {}};
    for (std::size_t l = 0; l < levels.size(); ++l) {
      const bool last = l + 1 == levels.size();
      LevelPlan& level = result.levels.emplace_back();
      level.expert = levels[l];
      level.gate = gate[static_cast<Index>(l)];
      level.route.experts = experts.routes(prefix, l, l == 0);
      level.route.gates_read_input = true;
      for (Index i = 0; i < (last ? num_tasks : num_experts); ++i) {
        const std::string of_unit = join_name(prefix, text("gates.", l, ".", i));
        level.route.units.push_back(
            {.experts = experts.all(), .gate = GateRoute{of_unit + ".0", of_unit + ".1"}});
      }
    }
    return result;
  }
};

struct MMoE {
  Index input_dim = 0;
  Index num_tasks = 0;
  Index num_experts = 0;
  Body expert{};  // every expert's layers
  GateConfig gate{};

  static constexpr std::string_view name = "MMoE";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("num_experts", num_experts);
    visit("expert", expert);
    visit("gate", gate);
  }

  // Throws ConfigError for sizes below 1.
  PLAIT_COLD Plan plan(ParamTable& table, const std::string& prefix) const {
    return MLMMoE{input_dim, num_tasks, num_experts, {expert}, {gate}}.plan(table, prefix, "MMoE");
  }
};

}  // namespace plait
