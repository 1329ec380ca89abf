// Funnel: tasks of which each follows from the one before it, as click, cart and buy. A task's gate
// reads the state of the task before it and decides between the experts of both; its own experts
// are added once more, so that no task depends on its neighbour alone.  x [B, 1 or T, D] -> y [B,
// T, H_L]
//
//   E^l_k = expert^l_k(x^{l-1}_owner(k))
//   x^l_t = Σ_{k in own(t), own(t-1)} g^l_t,k(x^{l-1}_{t-1}) E^l_k + Σ_{k in own(t)} E^l_k
//
// The first task has none before it and stands in for it. Routing: expert k reads its owner's slot,
// gate t slot max(t - 1, 0) (all of them slot 0 at the first level unless separate_inputs); static
// weights of 1 on own experts.
// Parameters: experts.{l}.{k}.mlp_net.{2j}.weight|bias, gate_weights.{l}.{t}.0.weight|bias.
#pragma once
#include <algorithm>
#include <plait/plait.hpp>
#include <string>
#include <vector>

template <class Scalar_, plait::Body Expert_ = plait::MLP<Scalar_>>
class Funnel : public plait::FusionStack<Expert_, plait::MLP<Scalar_>> {
  using Base = plait::FusionStack<Expert_, plait::MLP<Scalar_>>;

 public:
  struct Config {
    plait::Index input_dim = 0;
    plait::Index num_tasks = 0;
    std::vector<typename Expert_::Config> levels{};  // one expert configuration per level
    plait::Index task_experts = 1;                   // per task and level
    bool separate_inputs = false;                    // x holds a slot per task
  };

  // Throws plait::ConfigError for sizes below 1.
  Funnel(plait::ParamTable& table, const std::string& name, const Config& config)
      : Base(table, {config.separate_inputs ? config.num_tasks : 1, config.input_dim},
             routes(name, config), config.levels,
             plait::GateConfigs<plait::MLP<Scalar_>>(config.levels.size())) {}

 private:
  static std::vector<plait::LevelRoute> routes(const std::string& name, const Config& config) {
    plait::check_trunk("Funnel", config.input_dim, config.num_tasks, config.levels.size());
    const plait::Index m = config.task_experts;
    const plait::UnitExperts units(
        std::vector<plait::Index>(static_cast<std::size_t>(config.num_tasks), m), "Funnel");
    std::vector<plait::LevelRoute> result(config.levels.size());
    for (std::size_t l = 0; l < result.size(); ++l) {
      const bool one_input = l == 0 && !config.separate_inputs;
      result[l].experts = units.routes(name, l, one_input);
      for (plait::Index t = 0; t < units.units(); ++t) {
        std::vector<plait::Index> selection = units.of(t);  // own experts first
        const plait::Index before = std::max<plait::Index>(t - 1, 0);
        if (before != t) {
          const auto others = units.of(before);
          selection.insert(selection.end(), others.begin(), others.end());
        }
        plait::GateRoute gate = plait::unit_gate(name, l, t, one_input);
        if (!one_input) gate.slot = before;
        result[l].units.push_back({selection, gate, plait::StaticRoute{0, m, std::nullopt, 0}});
      }
    }
    return result;
  }
};

static_assert(plait::Layer<Funnel<float>>);
