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
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/fields.hpp"
#include "plait/fusion/route.hpp"
#include "plait/fusion/units.hpp"

namespace plait {

// How the stitch matrices start: `diagonal` for a task's own expert and the rest shared evenly
// among the others; U(-1/√T, 1/√T); or all ones.
enum class Stitch { near_identity, uniform, ones };
template <>
struct EnumNames<Stitch> {
  static constexpr std::array<std::string_view, 3> names{"near_identity", "uniform", "ones"};
};

struct CrossStitch {
  Index input_dim = 0;
  Index num_tasks = 0;
  std::vector<Body> levels{};  // one expert description per level
  Stitch stitch = Stitch::near_identity;
  double diagonal = 0.9;         // near_identity: weight of a task's own expert
  bool separate_inputs = false;  // x holds T slots instead of one that all tasks read

  static constexpr std::string_view name = "CrossStitch";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("levels", levels);
    visit("stitch", stitch);
    visit("diagonal", diagonal);
    visit("separate_inputs", separate_inputs);
  }

  // Throws ConfigError for sizes below 1.
  PLAIT_COLD Plan plan(ParamTable& table, const std::string& prefix) const {
    check_trunk(table, "CrossStitch", input_dim, num_tasks, levels.size());
    require_config(std::isfinite(diagonal), "CrossStitch", "diagonal", text(diagonal),
                   "a finite number");
    const UnitExperts experts(table, num_tasks, 1, "CrossStitch");
    Plan result{{separate_inputs ? num_tasks : 1, input_dim}, {}};
    // All matrices come before all experts in the table.
    for (std::size_t l = 0; l < levels.size(); ++l) {
      const ParamId weights = table.add_matrix(join_name(prefix, text("stitchs.", l, ".weight")),
                                               num_tasks, num_tasks, stitch_init());
      LevelPlan& level = result.levels.emplace_back();
      level.expert = levels[l];
      level.route.experts = experts.routes(prefix, l, l == 0 && !separate_inputs);
      for (Index t = 0; t < num_tasks; ++t)
        level.route.units.push_back(
            {.experts = experts.all(), .statics = StaticRoute{0, num_tasks, weights, t}});
    }
    return result;
  }

 private:
  Init stitch_init() const {
    const auto tasks = static_cast<double>(num_tasks);
    if (stitch == Stitch::uniform) return Init::uniform(1 / std::sqrt(tasks));
    if (stitch == Stitch::ones || num_tasks == 1) return Init::constant(1);
    return Init::diagonal(diagonal, (1 - diagonal) / (tasks - 1));
  }
};

}  // namespace plait
