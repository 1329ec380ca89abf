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
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "plait/layers/fusion_stack.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/routing.hpp"

namespace plait {

namespace detail {

// The levels of both forms. statics(l, u) is unit u's native-expert weights at level l.
template <class Statics>
std::vector<LevelRoute> adatt_routes(const std::string& name, std::size_t levels, Index tasks,
                                     const UnitExperts& experts, bool separate_inputs,
                                     const Statics& statics) {
  std::vector<LevelRoute> result(levels);
  for (std::size_t l = 0; l < levels; ++l) {
    const bool one_input = l == 0 && !separate_inputs;
    result[l].experts = experts.routes(name, l, one_input);
    const Index fusing = l + 1 == levels ? tasks : experts.units();
    for (Index u = 0; u < fusing; ++u)
      result[l].units.push_back(
          {experts.all(), unit_gate(name, l, u, one_input), statics(static_cast<Index>(l), u)});
  }
  return result;
}

inline Init native_weight_init(Index experts) {
  return Init::uniform(1 / std::sqrt(static_cast<double>(experts)));
}

}  // namespace detail

template <class Scalar_, Body Expert_ = MLP<Scalar_>, Body GateBody_ = MLP<Scalar_>>
class AdaTTSp : public FusionStack<Expert_, GateBody_> {
  using Base = FusionStack<Expert_, GateBody_>;

 public:
  struct Config {
    Index input_dim = 0;
    Index num_tasks = 0;
    std::vector<typename Expert_::Config> levels{};  // one expert configuration per level
    Index task_experts =
        1;  // per task and level; for counts per task use AdaTT, shared_experts = 0
    bool residual = true;
    GateConfigs<GateBody_> gates =
        GateConfigs<GateBody_>(1);  // one for all levels, or one per level
    bool separate_inputs = false;   // x holds a slot per task instead of one that all tasks read
  };

  // Throws ConfigError for sizes below 1.
  AdaTTSp(ParamTable& table, const std::string& name, const Config& config)
      : Base(table, {config.separate_inputs ? config.num_tasks : 1, config.input_dim},
             routes(table, name, config), config.levels,
             one_or_each(config.gates, static_cast<Index>(config.levels.size()), "AdaTTSp",
                         "gates")) {}

 private:
  static std::vector<LevelRoute> routes(ParamTable& table, const std::string& name,
                                        const Config& config) {
    check_trunk("AdaTTSp", config.input_dim, config.num_tasks, config.levels.size());
    const Index tasks = config.num_tasks;
    const Index m = config.task_experts;
    const UnitExperts experts(std::vector<Index>(static_cast<std::size_t>(tasks), m), "AdaTTSp");
    std::vector<std::optional<ParamId>> weights(config.levels.size());
    if (config.residual && m > 1)
      for (std::size_t l = 0; l < weights.size(); ++l)
        weights[l] = table.add_matrix(join_name(name, text("self_exp_weights.", l)), tasks, m,
                                      detail::native_weight_init(m));
    const auto statics = [&](Index l, Index u) -> std::optional<StaticRoute> {
      if (!config.residual) return std::nullopt;
      return StaticRoute{experts.first(u), m, weights[static_cast<std::size_t>(l)], u};
    };
    return detail::adatt_routes(name, config.levels.size(), tasks, experts, config.separate_inputs,
                                statics);
  }
};

template <class Scalar_, Body Expert_ = MLP<Scalar_>, Body GateBody_ = MLP<Scalar_>>
class AdaTT : public FusionStack<Expert_, GateBody_> {
  using Base = FusionStack<Expert_, GateBody_>;

 public:
  struct Config {
    Index input_dim = 0;
    Index num_tasks = 0;
    std::vector<typename Expert_::Config> levels{};  // one expert configuration per level
    std::vector<Index> task_experts{1};  // per level: one for all tasks, or one per task
    Index shared_experts = 1;            // per level; 0 or more
    bool residual = true;
    GateConfigs<GateBody_> gates =
        GateConfigs<GateBody_>(1);  // one for all levels, or one per level
    bool separate_inputs = false;   // x holds a slot per unit instead of one that all units read
  };

  // Throws ConfigError for sizes below 1 (shared_experts: below 0).
  AdaTT(ParamTable& table, const std::string& name, const Config& config)
      : Base(
            table, {config.separate_inputs ? units(config).units() : 1, config.input_dim},
            routes(table, name, config), config.levels,
            one_or_each(config.gates, static_cast<Index>(config.levels.size()), "AdaTT", "gates")) {
  }

 private:
  static UnitExperts units(const Config& config) {
    check_trunk("AdaTT", config.input_dim, config.num_tasks, config.levels.size());
    return task_and_shared_units("AdaTT", config.num_tasks, config.task_experts,
                                 config.shared_experts);
  }

  static std::vector<LevelRoute> routes(ParamTable& table, const std::string& name,
                                        const Config& config) {
    const UnitExperts experts = units(config);
    const Index tasks = config.num_tasks;
    const auto levels = static_cast<Index>(config.levels.size());
    const bool one_each = experts.total() == experts.units();
    std::vector<std::optional<ParamId>> weights(static_cast<std::size_t>(experts.units()));
    if (config.residual && !one_each)
      for (Index u = 0; u < experts.units(); ++u) {
        const Index fused_levels = u < tasks ? levels : levels - 1;
        if (fused_levels == 0) continue;
        weights[static_cast<std::size_t>(u)] =
            table.add_matrix(join_name(name, text("self_exp_weights.", u)), fused_levels,
                             experts.count(u), detail::native_weight_init(experts.count(u)));
      }
    const auto statics = [&](Index l, Index u) -> std::optional<StaticRoute> {
      if (!config.residual) return std::nullopt;
      return StaticRoute{experts.first(u), experts.count(u), weights[static_cast<std::size_t>(u)],
                         l};
    };
    return detail::adatt_routes(name, config.levels.size(), tasks, experts, config.separate_inputs,
                                statics);
  }
};

static_assert(Layer<AdaTTSp<float>> && Layer<AdaTT<float>>);

}  // namespace plait
