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
#include <vector>

#include "plait/layers/fusion_stack.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/routing.hpp"

namespace plait {

template <class Scalar_, Body Expert_ = MLP<Scalar_>, Body GateBody_ = MLP<Scalar_>>
class MLMMoE : public FusionStack<Expert_, GateBody_> {
  using Base = FusionStack<Expert_, GateBody_>;

 public:
  struct Config {
    Index input_dim = 0;
    Index num_tasks = 0;
    Index num_experts = 0;                           // per level
    std::vector<typename Expert_::Config> levels{};  // one expert configuration per level
    GateConfigs<GateBody_> gates =
        GateConfigs<GateBody_>(1);  // one for all levels, or one per level
  };

  // Throws ConfigError for sizes below 1.
  MLMMoE(ParamTable& table, const std::string& name, const Config& config)
      : MLMMoE(table, name, config, "MLMMoE") {}

 protected:
  MLMMoE(ParamTable& table, const std::string& name, const Config& config, const char* where)
      : Base(table, {1, config.input_dim}, routes(name, config, where), config.levels,
             one_or_each(config.gates, static_cast<Index>(config.levels.size()), where, "gates")) {}

 private:
  static std::vector<LevelRoute> routes(const std::string& name, const Config& config,
                                        const char* where) {
    check_trunk(where, config.input_dim, config.num_tasks, config.levels.size());
    require_config(config.num_experts >= 1, where, "num_experts", text(config.num_experts),
                   "at least 1");
    const UnitExperts experts(std::vector<Index>(static_cast<std::size_t>(config.num_experts), 1),
                              where);
    std::vector<LevelRoute> result(config.levels.size());
    for (std::size_t l = 0; l < result.size(); ++l) {
      const bool last = l + 1 == result.size();
      result[l].experts = experts.routes(name, l, l == 0);
      result[l].gates_read_input = true;
      for (Index i = 0; i < (last ? config.num_tasks : config.num_experts); ++i) {
        const std::string gate = join_name(name, text("gates.", l, ".", i));
        result[l].units.push_back(
            {experts.all(), GateRoute{gate + ".0", gate + ".1", 0}, std::nullopt});
      }
    }
    return result;
  }
};

template <class Scalar_, Body Expert_ = MLP<Scalar_>, Body GateBody_ = MLP<Scalar_>>
class MMoE : public MLMMoE<Scalar_, Expert_, GateBody_> {
  using Base = MLMMoE<Scalar_, Expert_, GateBody_>;

 public:
  struct Config {
    Index input_dim = 0;
    Index num_tasks = 0;
    Index num_experts = 0;
    typename Expert_::Config expert{};  // every expert's layers
    GateConfig<GateBody_> gate{};
  };

  // Throws ConfigError for sizes below 1.
  MMoE(ParamTable& table, const std::string& name, const Config& config)
      : Base(table, name,
             {config.input_dim,
              config.num_tasks,
              config.num_experts,
              {config.expert},
              {config.gate}},
             "MMoE") {}
};

static_assert(Layer<MLMMoE<float>> && Layer<MMoE<float>>);

}  // namespace plait
