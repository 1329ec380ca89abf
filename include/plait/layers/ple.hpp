// CGC and PLE: experts of each task beside shared ones; a task's gate sees its own and the shared.
//                                              x [B, 1 or T + 1, D] -> y [B, T, H_L]
//   E^l_k = expert^l_k(x^{l-1}_owner(k))
//   x^l_t = Σ_{k in own(t), shared} g^l_t,k(x^{l-1}_t) E^l_k         task units
//   x^l_s = Σ_{k in all experts}    g^l_s,k(x^{l-1}_s) E^l_k         shared unit, below the last
//   level
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
#include <vector>

#include "plait/layers/fusion_stack.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/routing.hpp"

namespace plait {

template <class Scalar_, Body Expert_ = MLP<Scalar_>, Body GateBody_ = MLP<Scalar_>>
class PLE : public FusionStack<Expert_, GateBody_> {
  using Base = FusionStack<Expert_, GateBody_>;

 public:
  struct Config {
    Index input_dim = 0;
    Index num_tasks = 0;
    std::vector<typename Expert_::Config> levels{};  // one expert configuration per level
    std::vector<Index> task_experts{1};  // per level: one for all tasks, or one per task
    Index shared_experts = 1;            // per level; 0 or more
    GateConfigs<GateBody_> gates =
        GateConfigs<GateBody_>(1);  // one for all levels, or one per level
    bool separate_inputs = false;   // x holds a slot per unit instead of one that all units read
  };

  // Throws ConfigError for sizes below 1 (shared_experts: below 0).
  PLE(ParamTable& table, const std::string& name, const Config& config)
      : PLE(table, name, config, "PLE") {}

 protected:
  PLE(ParamTable& table, const std::string& name, const Config& config, const char* where)
      : Base(table, {config.separate_inputs ? units(config, where).units() : 1, config.input_dim},
             routes(name, config, where), config.levels,
             one_or_each(config.gates, static_cast<Index>(config.levels.size()), where, "gates")) {}

 private:
  static UnitExperts units(const Config& config, const char* where) {
    check_trunk(where, config.input_dim, config.num_tasks, config.levels.size());
    return task_and_shared_units(where, config.num_tasks, config.task_experts,
                                 config.shared_experts);
  }

  static std::vector<LevelRoute> routes(const std::string& name, const Config& config,
                                        const char* where) {
    const UnitExperts experts = units(config, where);
    const Index tasks = config.num_tasks;
    const bool has_shared = experts.units() > tasks;
    std::vector<LevelRoute> result(config.levels.size());
    for (std::size_t l = 0; l < result.size(); ++l) {
      const bool last = l + 1 == result.size();
      const bool one_input = l == 0 && !config.separate_inputs;
      result[l].experts = experts.routes(name, l, one_input);
      for (Index t = 0; t < tasks; ++t) {
        std::vector<Index> selection = experts.of(t);
        if (has_shared) {
          const auto shared = experts.of(tasks);
          selection.insert(selection.end(), shared.begin(), shared.end());
        }
        result[l].units.push_back({selection, unit_gate(name, l, t, one_input), std::nullopt});
      }
      if (has_shared && !last)
        result[l].units.push_back(
            {experts.all(), unit_gate(name, l, tasks, one_input), std::nullopt});
    }
    return result;
  }
};

template <class Scalar_, Body Expert_ = MLP<Scalar_>, Body GateBody_ = MLP<Scalar_>>
class CGC : public PLE<Scalar_, Expert_, GateBody_> {
  using Base = PLE<Scalar_, Expert_, GateBody_>;

 public:
  struct Config {
    Index input_dim = 0;
    Index num_tasks = 0;
    typename Expert_::Config expert{};  // every expert's layers
    std::vector<Index> task_experts{1};
    Index shared_experts = 1;
    GateConfig<GateBody_> gate{};
    bool separate_inputs = false;
  };

  // Throws ConfigError for sizes below 1 (shared_experts: below 0).
  CGC(ParamTable& table, const std::string& name, const Config& config)
      : Base(table, name,
             {config.input_dim,
              config.num_tasks,
              {config.expert},
              config.task_experts,
              config.shared_experts,
              {config.gate},
              config.separate_inputs},
             "CGC") {}
};

static_assert(Layer<PLE<float>> && Layer<CGC<float>>);

}  // namespace plait
