// WideGates: PLE in which gates read what their unit and its neighbours know, and the shared expert
// is a network of another kind.
//                                                              x [B, 1, D] -> y [B, T, H_L]
//   E^l_t = expert^l_t(x^{l-1}_t),   E^l_T = shared^l(x^{l-1}_T)            one per task and one
//   for all x^l_t = Σ_{k = t, T} g^l_t,k([x^{l-1}_t; x^{l-1}_T]) E^l_k              task units
//   x^l_T = Σ_k          g^l_T,k([x^{l-1}_0; ...; x^{l-1}_T]) E^l_k         shared unit (none at
//   the last)
//
// At the first level all slots are one, which gates read once. Parameters:
// experts.{l}.{k}.mlp_net.{2j}.weight|bias, gate_weights.{l}.{u}.0.weight|bias.
#pragma once
#include <plait/plait.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct WideGates {
  plait::Index input_dim = 0;
  plait::Index num_tasks = 0;
  std::vector<plait::Body> levels{};  // the tasks' expert at every level
  std::vector<plait::Body> shared{};  // the shared one, as wide
  plait::GateConfig gate{};

  // To be saved.
  static constexpr std::string_view name = "WideGates";
  void fields(plait::FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("levels", levels);
    visit("shared", shared);
    visit("gate", gate);
  }

  // Throws plait::ConfigError for sizes below 1, and other than one shared expert per level.
  plait::Plan plan(plait::ParamTable& table, const std::string& prefix) const {
    plait::check_trunk(table, "WideGates", input_dim, num_tasks, levels.size());
    if (shared.size() != levels.size())
      throw plait::ConfigError("WideGates", "shared", plait::text(shared.size()),
                               plait::text(levels.size(), ", one per level"));
    const plait::UnitExperts units(table, num_tasks, {1}, 1, "WideGates");
    plait::Plan result{{1, input_dim}, {}};
    for (std::size_t l = 0; l < levels.size(); ++l) {
      plait::LevelPlan& level =
          result.levels.emplace_back(plait::LevelPlan{.expert = levels[l], .gate = gate});
      level.route.experts = units.routes(prefix, l, l == 0);
      level.route.experts.back().own = shared[l];
      for (plait::Index u = 0; u < (l + 1 < levels.size() ? units.units() : num_tasks); ++u) {
        const bool of_task = u < num_tasks;
        plait::GateRoute reads = plait::unit_gate(prefix, l, u, l == 0);
        if (l > 0 && of_task) reads.more_slots = {num_tasks};
        if (!of_task) reads.slot = 0;
        for (plait::Index s = 1; l > 0 && !of_task && s <= num_tasks; ++s)
          reads.more_slots.push_back(s);
        level.route.units.push_back(
            {.experts = of_task ? units.of({u, num_tasks}) : units.all(), .gate = reads});
      }
    }
    return result;
  }
};

static_assert(plait::DescribesTrunk<WideGates, float>);
