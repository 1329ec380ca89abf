// AdaTT-sp and AdaTT: every unit gates all experts and adds its own ones once more, linearly.
//                                              x [B, 1 or U, D] -> y [B, T, H_L]
//   E^l_k = expert^l_k(x^{l-1}_owner(k))
//   x^l_u = Σ_k (g^l_u,k(x^{l-1}_u) + v^l_u,k) E^l_k,   v^l_u,k = 0 unless owner(k) = u
//
// The native-expert weights v are learned and do not depend on the input. When every unit, the
// shared one included, has exactly one expert they are fixed at 1 and there is no parameter (the
// rule of the reference code). `residual = false` drops them (the ablation of the paper's table 6).
//
// AdaTT-sp has the T task units only. AdaTT adds a shared unit, numbered last, which fuses below
// the last level and merely contributes its experts at the last. Without shared experts AdaTT is
// AdaTT-sp.
//
// Routing: expert k reads its owner's slot (slot 0 at the first level unless separate_inputs);
// every unit gates all experts from its own slot; static weights v on its own experts. Parameters:
// experts.{l}.{k}.mlp_net.{2j}.weight|bias, gate_weights.{l}.{u}.0.weight [E, ·], .bias, and v,
// starting at U(-1/√m, 1/√m): AdaTT-sp self_exp_weights.{l} [T, m]; AdaTT self_exp_weights.{u}
// [levels in which u fuses, m_u]. Source: Li et al., "AdaTT: Adaptive Task-to-Task Fusion Network",
// KDD 2023, eqs. 1-11 and section 3.2; facebookresearch/AdaTT mtl_lib.py, AdaTTSp and
// AdaTTWSharedExps.
#pragma once
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/each.hpp"
#include "plait/core/fields.hpp"
#include "plait/fusion/route.hpp"
#include "plait/fusion/units.hpp"

namespace plait {

namespace detail {

// The levels of both forms. statics(l, u) is unit u's native-expert weights at level l.
template <class Statics>
PLAIT_COLD Plan adatt_plan(const std::string& prefix, Index input_dim, Index num_tasks,
                           const UnitExperts& experts, const std::vector<Body>& levels,
                           const Each<GateConfig>& gates, bool separate_inputs,
                           const Statics& statics) {
  Plan result{{separate_inputs ? experts.units() : 1, input_dim}, {}};
  for (std::size_t l = 0; l < levels.size(); ++l) {
    const bool one_input = l == 0 && !separate_inputs;
    LevelPlan& level = result.levels.emplace_back();
    level.expert = levels[l];
    level.gate = gates[static_cast<Index>(l)];
    level.route.experts = experts.routes(prefix, l, one_input);
    const Index fusing = l + 1 == levels.size() ? num_tasks : experts.units();
    for (Index u = 0; u < fusing; ++u)
      level.route.units.push_back({.experts = experts.all(),
                                   .gate = unit_gate(prefix, l, u, one_input),
                                   .statics = statics(static_cast<Index>(l), u)});
  }
  return result;
}

inline Init native_weight_init(Index experts) {
  return Init::uniform(1 / std::sqrt(static_cast<double>(experts)));
}

}  // namespace detail

struct AdaTTSp {
  Index input_dim = 0;
  Index num_tasks = 0;
  std::vector<Body> levels{};  // one expert description per level
  // Per task and level; for counts per task use AdaTT with shared_experts = 0.
  Index task_experts = 1;
  bool residual = true;
  std::vector<GateConfig> gates =
      std::vector<GateConfig>(1);  // one for all levels, or one per level
  bool separate_inputs = false;    // x holds a slot per task instead of one that all tasks read

  static constexpr std::string_view name = "AdaTTSp";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("levels", levels);
    visit("task_experts", task_experts);
    visit("residual", residual);
    visit("gates", gates);
    visit("separate_inputs", separate_inputs);
  }

  // Throws ConfigError for sizes below 1.
  PLAIT_COLD Plan plan(ParamTable& table, const std::string& prefix) const {
    check_trunk(table, name.data(), input_dim, num_tasks, levels.size());
    const Index m = task_experts;
    const UnitExperts experts(table, num_tasks, m, name.data());
    std::vector<std::optional<ParamId>> weights(levels.size());
    if (residual && m > 1)
      for (std::size_t l = 0; l < weights.size(); ++l)
        weights[l] = table.add_matrix(join_name(prefix, text("self_exp_weights.", l)), num_tasks, m,
                                      detail::native_weight_init(m));
    const auto statics = [&](Index l, Index u) -> std::optional<StaticRoute> {
      if (!residual) return std::nullopt;
      return StaticRoute{experts.first(u), m, weights[static_cast<std::size_t>(l)], u};
    };
    return detail::adatt_plan(prefix, input_dim, num_tasks, experts, levels,
                              Each(gates, std::ssize(levels), name.data(), "gates"),
                              separate_inputs, statics);
  }
};

struct AdaTT {
  Index input_dim = 0;
  Index num_tasks = 0;
  std::vector<Body> levels{};          // one expert description per level
  std::vector<Index> task_experts{1};  // per level: one for all tasks, or one per task
  Index shared_experts = 1;            // per level; 0 or more
  bool residual = true;
  std::vector<GateConfig> gates =
      std::vector<GateConfig>(1);  // one for all levels, or one per level
  bool separate_inputs = false;    // x holds a slot per unit instead of one that all units read

  static constexpr std::string_view name = "AdaTT";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("levels", levels);
    visit("task_experts", task_experts);
    visit("shared_experts", shared_experts);
    visit("residual", residual);
    visit("gates", gates);
    visit("separate_inputs", separate_inputs);
  }

  // Throws ConfigError for sizes below 1 (shared_experts: below 0).
  PLAIT_COLD Plan plan(ParamTable& table, const std::string& prefix) const {
    check_trunk(table, name.data(), input_dim, num_tasks, levels.size());
    const UnitExperts experts(table, num_tasks, task_experts, shared_experts, name.data());
    const Index num_levels = std::ssize(levels);
    const bool one_each = experts.total() == experts.units();
    std::vector<std::optional<ParamId>> weights(static_cast<std::size_t>(experts.units()));
    if (residual && !one_each)
      for (Index u = 0; u < experts.units(); ++u) {
        const Index fused_levels = u < num_tasks ? num_levels : num_levels - 1;
        if (fused_levels == 0) continue;
        weights[static_cast<std::size_t>(u)] =
            table.add_matrix(join_name(prefix, text("self_exp_weights.", u)), fused_levels,
                             experts.count(u), detail::native_weight_init(experts.count(u)));
      }
    const auto statics = [&](Index l, Index u) -> std::optional<StaticRoute> {
      if (!residual) return std::nullopt;
      return StaticRoute{experts.first(u), experts.count(u), weights[static_cast<std::size_t>(u)],
                         l};
    };
    return detail::adatt_plan(prefix, input_dim, num_tasks, experts, levels,
                              Each(gates, num_levels, name.data(), "gates"), separate_inputs,
                              statics);
  }
};

}  // namespace plait
