// STEM: every task sees all experts and teaches its own and the shared ones alone ("all forward,
// task-specific backward"); the shared unit sees and teaches all.
//                                              x [B, 1 or T + 1, D] -> y [B, T, H_L]
//   E^l_k = expert^l_k(x^{l-1}_owner(k))
//   x^l_t = Σ_{k in own(t), shared} g^l_t,k(x^{l-1}_t) E^l_k
//         + Σ_{k in own(u), u ≠ t}  g^l_t,k(x^{l-1}_t) sg(E^l_k)      task units
//   x^l_s = Σ_{k in all experts}    g^l_s,k(x^{l-1}_s) E^l_k          shared unit (none at the
//   last)
//
// sg is the stop-gradient: a constant to task t, whose gate still learns how much to take of it.
// Without `stop_gradient` all units teach all experts. Experts are numbered task by task, the
// shared ones last, and gates weigh them in that order. The source's gates read the sum of the
// task's and the shared unit's input, which are one and the same unless separate_inputs; here
// gate t reads the task's alone.
//
// Routing: expert k reads its owner's slot, gate u slot u (slot 0 at the first level unless
// separate_inputs); every unit gates all experts; no static weights. Parameters:
// experts.{l}.{k}.mlp_net.{2j}.weight|bias, gate_weights.{l}.{u}.0.weight [E, ·], .bias, hidden
// layers of a gate gate_weights.{l}.{u}.body. Source: Su et al., "STEM: Unleashing the Power of
// Embeddings for Multi-task Recommendation", AAAI 2024; LiangcaiSu/STEM models/STEM.py.
#pragma once
#include <plait/plait.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct Stem {
  plait::Index input_dim = 0;
  plait::Index num_tasks = 0;
  std::vector<plait::Body> levels{};  // one expert description per level
  plait::Index task_experts = 1;      // per task and level
  plait::Index shared_experts = 1;    // per level; 0 or more
  plait::GateConfig gate{};           // every gate's layers
  bool separate_inputs = false;       // x holds a slot per unit instead of one that all units read
  bool stop_gradient = true;

  // To be saved.
  static constexpr std::string_view name = "Stem";
  void fields(plait::FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("levels", levels);
    visit("task_experts", task_experts);
    visit("shared_experts", shared_experts);
    visit("gate", gate);
    visit("separate_inputs", separate_inputs);
    visit("stop_gradient", stop_gradient);
  }

  // Throws plait::ConfigError for sizes below 1 (shared_experts: below 0).
  plait::Plan plan(plait::ParamTable& table, const std::string& prefix) const {
    plait::check_trunk(table, "Stem", input_dim, num_tasks, levels.size());
    const plait::UnitExperts units(table, num_tasks, {task_experts}, shared_experts, "Stem");
    plait::Plan result{{separate_inputs ? units.units() : 1, input_dim}, {}};
    for (std::size_t l = 0; l < levels.size(); ++l) {
      const bool one_input = l == 0 && !separate_inputs;
      plait::LevelPlan& level =
          result.levels.emplace_back(plait::LevelPlan{.expert = levels[l], .gate = gate});
      level.route.experts = units.routes(prefix, l, one_input);
      for (plait::Index u = 0; u < (l + 1 < levels.size() ? units.units() : num_tasks); ++u) {
        plait::UnitRoute unit{.experts = units.all(),
                              .gate = plait::unit_gate(prefix, l, u, one_input)};
        // The selection is all experts, so expert k is at position k.
        for (plait::Index k = 0; stop_gradient && u < num_tasks && k < num_tasks * task_experts;
             ++k)
          if (k / task_experts != u) unit.stopped.push_back(k);
        level.route.units.push_back(std::move(unit));
      }
    }
    return result;
  }
};

static_assert(plait::DescribesTrunk<Stem, float>);
