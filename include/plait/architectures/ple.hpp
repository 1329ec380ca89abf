// CGC and PLE: experts of each task beside shared ones; a task's gate sees its own and the shared.
//                                              x [B, 1 or T + 1, D] -> y [B, T, H_L]
//   E^l_k = expert^l_k(x^{l-1}_owner(k))
//   x^l_t = Σ_{k in own(t), shared} g^l_t,k(x^{l-1}_t) E^l_k         task units
//   x^l_s = Σ_{k in all experts}    g^l_s,k(x^{l-1}_s) E^l_k         shared unit (none at the last)
//
// CGC is the case of one level. Experts are numbered task by task, the shared ones last; a task
// gate's outputs are its own experts in order, then the shared ones.
//
// Routing: expert k reads its owner's slot (slot 0 at the first level unless separate_inputs); task
// units gate own + shared experts, the shared unit all experts; no static weights. Without shared
// experts there is no shared unit and gates select their own experts only (the reference fails).
// Parameters: experts.{l}.{k}.mlp_net.{2j}.weight|bias, gate_weights.{l}.{u}.0.weight [n_u, ·],
// .bias. Source: Tang et al., "Progressive Layered Extraction (PLE)", RecSys 2020, eqs. 2-7;
// facebookresearch/AdaTT mtl_lib.py, PLE.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/each.hpp"
#include "plait/core/fields.hpp"
#include "plait/fusion/route.hpp"
#include "plait/fusion/units.hpp"

namespace plait {

struct PLE {
  Index input_dim = 0;
  Index num_tasks = 0;
  std::vector<Body> levels{};          // one expert description per level
  std::vector<Index> task_experts{1};  // per level: one for all tasks, or one per task
  Index shared_experts = 1;            // per level; 0 or more
  std::vector<GateConfig> gates =
      std::vector<GateConfig>(1);  // one for all levels, or one per level
  bool separate_inputs = false;    // x holds a slot per unit instead of one that all units read

  static constexpr std::string_view name = "PLE";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("levels", levels);
    visit("task_experts", task_experts);
    visit("shared_experts", shared_experts);
    visit("gates", gates);
    visit("separate_inputs", separate_inputs);
  }

  // Throws ConfigError, in the name of `where`, for sizes below 1 (shared_experts: below 0).
  PLAIT_COLD Plan plan(ParamTable& table, const std::string& prefix,
                       const std::string& where = "PLE") const {
    check_trunk(table, where, input_dim, num_tasks, levels.size());
    const UnitExperts experts(table, num_tasks, task_experts, shared_experts, where);
    const Index shared = num_tasks;  // the shared unit, if there is one
    const bool has_shared = experts.units() > num_tasks;
    const Each gate(gates, std::ssize(levels), where, "gates");
    Plan result{{separate_inputs ? experts.units() : 1, input_dim}, {}};
    for (std::size_t l = 0; l < levels.size(); ++l) {
      const bool last = l + 1 == levels.size();
      const bool one_input = l == 0 && !separate_inputs;
      LevelPlan& level = result.levels.emplace_back();
      level.expert = levels[l];
      level.gate = gate[static_cast<Index>(l)];
      level.route.experts = experts.routes(prefix, l, one_input);
      for (Index t = 0; t < num_tasks; ++t)
        level.route.units.push_back(
            {.experts = has_shared ? experts.of({t, shared}) : experts.of({t}),
             .gate = unit_gate(prefix, l, t, one_input)});
      if (has_shared && !last)
        level.route.units.push_back(
            {.experts = experts.all(), .gate = unit_gate(prefix, l, shared, one_input)});
    }
    return result;
  }
};

struct CGC {
  Index input_dim = 0;
  Index num_tasks = 0;
  Body expert{};  // every expert's layers
  std::vector<Index> task_experts{1};
  Index shared_experts = 1;
  GateConfig gate{};
  bool separate_inputs = false;

  static constexpr std::string_view name = "CGC";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("expert", expert);
    visit("task_experts", task_experts);
    visit("shared_experts", shared_experts);
    visit("gate", gate);
    visit("separate_inputs", separate_inputs);
  }

  // Throws ConfigError for sizes below 1 (shared_experts: below 0).
  PLAIT_COLD Plan plan(ParamTable& table, const std::string& prefix) const {
    return PLE{input_dim,      num_tasks, {expert},       task_experts,
               shared_experts, {gate},    separate_inputs}
        .plan(table, prefix, "CGC");
  }
};

}  // namespace plait
