// Cross-stitch: one network per task, linearly recombined after every level.
//                                                               x [B, 1 or T, D] -> y [B, T, H_L]
//   E_t = expert^l_t(x^{l-1}_t),   x^l_i = Σ_j S^l_ij E_j       l = 1 ... L, the last level
//   included
//
// Routing: expert t reads slot t (slot 0 at the first level unless separate_inputs); unit i has no
// gate and row i of the stitch matrix S^l over all experts. Parameters:
// experts.{l}.{t}.mlp_net.{2j}.weight|bias, stitchs.{l}.weight [T, T] (row = target). S starts near
// the identity; the reference starts it at U(-1/√T, 1/√T), a random sign per pair
// (Stitch::uniform).
// Source: Misra et al., "Cross-stitch Networks for Multi-task Learning", CVPR 2016, eq. 1;
// facebookresearch/AdaTT mtl_lib.py, CrossStitch.
#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "plait/layers/fusion_stack.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/routing.hpp"

namespace plait {

// How the stitch matrices start: `diagonal` for a task's own expert and the rest shared evenly
// among the others; U(-1/√T, 1/√T); or all ones.
enum class Stitch { near_identity, uniform, ones };

template <class Scalar_, Body Expert_ = MLP<Scalar_>>
class CrossStitch : public FusionStack<Expert_, MLP<Scalar_>> {
  using Base = FusionStack<Expert_, MLP<Scalar_>>;

 public:
  struct Config {
    Index input_dim = 0;
    Index num_tasks = 0;
    std::vector<typename Expert_::Config> levels{};  // one expert configuration per level
    Stitch stitch = Stitch::near_identity;
    double diagonal = 0.9;         // near_identity: weight of a task's own expert
    bool separate_inputs = false;  // x holds T slots instead of one that all tasks read
  };

  // Throws ConfigError for sizes below 1.
  CrossStitch(ParamTable& table, const std::string& name, const Config& config)
      : Base(table, {config.separate_inputs ? config.num_tasks : 1, config.input_dim},
             routes(table, name, config), config.levels,
             GateConfigs<MLP<Scalar_>>(config.levels.size())) {}

 private:
  static Init stitch_init(const Config& config) {
    const auto tasks = static_cast<double>(config.num_tasks);
    switch (config.stitch) {
      case Stitch::uniform:
        return Init::uniform(1 / std::sqrt(tasks));
      case Stitch::ones:
        return Init::constant(1);
      case Stitch::near_identity:
        break;
    }
    if (config.num_tasks == 1) return Init::constant(1);
    return Init::diagonal(config.diagonal, (1 - config.diagonal) / (tasks - 1));
  }

  static std::vector<LevelRoute> routes(ParamTable& table, const std::string& name,
                                        const Config& config) {
    check_trunk("CrossStitch", config.input_dim, config.num_tasks, config.levels.size());
    require_config(std::isfinite(config.diagonal), "CrossStitch", "diagonal", text(config.diagonal),
                   "a finite number");
    const Index tasks = config.num_tasks;
    const UnitExperts units(std::vector<Index>(static_cast<std::size_t>(tasks), 1), "CrossStitch");
    std::vector<LevelRoute> result(config.levels.size());
    for (std::size_t l = 0; l < result.size(); ++l) {
      const ParamId stitch = table.add_matrix(join_name(name, text("stitchs.", l, ".weight")),
                                              tasks, tasks, stitch_init(config));
      result[l].experts = units.routes(name, l, l == 0 && !config.separate_inputs);
      for (Index t = 0; t < tasks; ++t)
        result[l].units.push_back({units.all(), std::nullopt, StaticRoute{0, tasks, stitch, t}});
    }
    return result;
  }
};

static_assert(Layer<CrossStitch<float>>);

}  // namespace plait
