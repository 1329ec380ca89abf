// Learning to branch: levels of experts, each of which reads one expert of the level below, chosen
// in training, so that what is left at its end is a tree.       x [B, 1, D] -> y [B, T, H_L]
//
//   u^1_j = relu(A^1_j x + b^1_j)
//   u^l_i = relu(A^l_i Σ_j z^l_ij u^{l-1}_j + b^l_i)       l = 2 ... L, i, j = 1 ... E
//   y_t = u^L_t                                            the last level has an expert per task
//
// z^l_i is one-hot (fusion/branch_choice.hpp): drawn once per step by logits that are learned
// straight through, the largest logit's in scoring, which computes the tree alone. During a warm-up
// all are taken, and a score then is that of a tree which has not been trained alone.
// Parameters: experts.{l}.{i}.mlp_net.0.weight|bias, branches.{l} (a) [experts, experts below], at
// 0 at first: LibMTL's 1 gives the same weights. Source: Guo et al., "Learning to Branch for
// Multi-Task Learning", ICML 2020; LibMTL architecture/LTB.py, whose temperature falls like
// 1/√epoch instead of geometrically.
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "plait/architectures/routed_networks.hpp"
#include "plait/core/fields.hpp"
#include "plait/fusion/branch_choice.hpp"
#include "plait/fusion/units.hpp"

namespace plait {

struct LearningToBranch {
  Index input_dim = 0;
  Index num_tasks = 0;
  Index num_experts = 0;        // E, of every level but the last
  std::vector<Index> levels{};  // H_l
  BranchChoice branches{};

  template <class S>
  using Layer = RoutedNetworks<S, BranchChoice>;
  static constexpr std::string_view name = "LearningToBranch";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("num_experts", num_experts);
    visit("levels", levels);
    visit("branches", branches);
  }

  PLAIT_COLD RoutedPlan<BranchChoice> routes(const ParamTable& table) const {
    check_trunk(table, "LearningToBranch", input_dim, num_tasks, levels.size());
    require_config(num_experts >= 1, "LearningToBranch", "num_experts", text(num_experts),
                   "at least 1");
    RoutedPlan<BranchChoice> plan{"LearningToBranch", input_dim, {}, false, branches, "branches"};
    for (const Index width : levels) plan.levels.push_back({num_experts, width});
    plan.levels.back().nodes = num_tasks;
    return plan;
  }
};

}  // namespace plait
