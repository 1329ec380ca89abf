// Funnel: tasks of which each follows from the one before it, as click, cart and buy. A task's gate
// reads the state of the task before it and decides between the experts of both; its own experts
// are added once more, so that no task depends on its neighbour alone.
//                                                           x [B, 1 or T, D] -> y [B, T, H_L]
//   E^l_k = expert^l_k(x^{l-1}_owner(k))
//   x^l_t = Σ_{k in own(t), own(t-1)} g^l_t,k(x^{l-1}_{t-1}) E^l_k + Σ_{k in own(t)} E^l_k
//
// The first task has none before it and stands in for it. With `stop_gradient` a task weighs the
// other's experts without teaching them: E^l_k is constant to task t where owner(k) = t - 1.
// Routing: expert k reads its owner's slot, gate t slot max(t - 1, 0) (all of them slot 0 at the
// first level unless separate_inputs); static weights of 1 on own experts.
// Parameters: experts.{l}.{k}.mlp_net.{2j}.weight|bias, gate_weights.{l}.{t}.0.weight|bias.
#pragma once
#include <algorithm>
#include <plait/plait.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct Funnel {
  plait::Index input_dim = 0;
  plait::Index num_tasks = 0;
  std::vector<plait::Body> levels{};  // one expert description per level
  plait::Index task_experts = 1;      // per task and level
  bool separate_inputs = false;       // x holds a slot per task
  bool stop_gradient = false;

  // To be saved.
  static constexpr std::string_view name = "Funnel";
  void fields(plait::FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("levels", levels);
    visit("task_experts", task_experts);
    visit("separate_inputs", separate_inputs);
    visit.unless_default("stop_gradient", stop_gradient, false);  // came later; old files lack it
  }

  // Throws plait::ConfigError for sizes below 1.
  plait::Plan plan(plait::ParamTable& table, const std::string& prefix) const {
    plait::check_trunk(table, "Funnel", input_dim, num_tasks, levels.size());
    const plait::Index m = task_experts;
    const plait::UnitExperts units(table, num_tasks, m, "Funnel");
    plait::Plan result{{separate_inputs ? num_tasks : 1, input_dim}, {}};
    for (std::size_t l = 0; l < levels.size(); ++l) {
      const bool one_input = l == 0 && !separate_inputs;
      plait::LevelPlan& level = result.levels.emplace_back();
      level.expert = levels[l];
      level.route.experts = units.routes(prefix, l, one_input);
      for (plait::Index t = 0; t < num_tasks; ++t) {
        const plait::Index before = std::max<plait::Index>(t - 1, 0);
        plait::GateRoute gate = plait::unit_gate(prefix, l, t, one_input);
        if (!one_input) gate.slot = before;
        plait::UnitRoute unit{.experts = before == t ? units.of({t}) : units.of({t, before}),
                              .gate = gate,
                              .statics = plait::StaticRoute{0, m}};  // own ones, which are first
        for (plait::Index k = 0; stop_gradient && before != t && k < m; ++k)
          unit.stopped.push_back(m + k);
        level.route.units.push_back(std::move(unit));
      }
    }
    return result;
  }
};

static_assert(plait::DescribesTrunk<Funnel, float>);
