// Branched network: a tree of networks that is given, not learned. Tasks share what stands below
// the level at which they part.                                 x [B, 1, D] -> y [B, T, H]
//
//   u^l_g = expert^l_g(u^{l-1}_{parent(g)}),  u^0 = x,  y_t = u^L_{group of t at level L}
//
// groups[l][t] is the group of task t at level l, numbered from 0 in the order in which tasks name
// them; a group lies in one group of the level below. All tasks in one group at every level are a
// shared bottom, each in its own are single-task networks in levels. Which tree:
// inspect/branching.hpp, from what single-task networks have learned.
//
// Routing: an expert per group, which reads its parent's slot; a unit per group, of tasks at the
// last level, with static weight 1 on its expert. Parameters: experts.{l}.{g}.mlp_net.{2j}
// .weight|bias (with the default MLP). Source: Vandenhende et al., "Branched Multi-Task Networks:
// Deciding What Layers To Share", BMVC 2020.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/fusion/route.hpp"
#include "plait/fusion/units.hpp"

namespace plait {

struct BranchedNetwork {
  Index input_dim = 0;
  Index num_tasks = 0;
  std::vector<Body> levels{};                // one expert description per level
  std::vector<std::vector<Index>> groups{};  // by level, of every task

  static constexpr std::string_view name = "BranchedNetwork";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("levels", levels);
    visit("groups", groups);
  }

  // Throws ConfigError for sizes below 1 and groups that are no tree.
  PLAIT_COLD Plan plan(ParamTable& table, const std::string& prefix) const {
    check_trunk(table, "BranchedNetwork", input_dim, num_tasks, levels.size());
    require_config(groups.size() == levels.size(), "BranchedNetwork", "groups",
                   text(groups.size(), " levels"), text(levels.size()));
    Plan result{{1, input_dim}, {}};
    std::vector<Index> parents(static_cast<std::size_t>(num_tasks));  // of every task
    for (std::size_t l = 0; l < levels.size(); ++l) {
      const std::vector<Index> slots = slots_of_groups(l, parents);
      const UnitExperts experts(table, std::ssize(slots), 1, "BranchedNetwork");
      LevelPlan& level = result.levels.emplace_back();
      level.expert = levels[l];
      level.route.experts = experts.routes(prefix, l, false);
      for (std::size_t g = 0; g < slots.size(); ++g) level.route.experts[g].slot = slots[g];
      const bool last = l + 1 == levels.size();
      for (Index u = 0; u < (last ? num_tasks : std::ssize(slots)); ++u)
        level.route.units.push_back(
            {.experts = experts.of({last ? groups[l][static_cast<std::size_t>(u)] : u}),
             .statics = StaticRoute{0, 1}});
      parents = groups[l];
    }
    return result;
  }

 private:
  // The slot that each group of a level reads: its tasks' group at the level below.
  PLAIT_COLD std::vector<Index> slots_of_groups(std::size_t l,
                                                const std::vector<Index>& parents) const {
    const auto require = [&](bool holds, Index got, const char* expected) {
      require_config(holds, "BranchedNetwork", text("groups of level ", l), text(got), expected);
    };
    require(std::ssize(groups[l]) == num_tasks, std::ssize(groups[l]), "a group for every task");
    std::vector<Index> slots;
    for (std::size_t t = 0; t < groups[l].size(); ++t) {
      const Index g = groups[l][t];
      require(0 <= g && g <= std::ssize(slots), g, "groups numbered as they are first named");
      if (g == std::ssize(slots)) slots.push_back(parents[t]);
      require(slots[static_cast<std::size_t>(g)] == parents[t], g,
              "a group within one of the level below");
    }
    return slots;
  }
};

}  // namespace plait
