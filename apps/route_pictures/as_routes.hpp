// Routes of descriptions whose layers compute what a plan could say as well, to be drawn: made of
// what the description itself tells of its connections.
#pragma once
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/asymmetric.hpp"
#include "plait/architectures/routed_networks.hpp"
#include "plait/core/error.hpp"
#include "plait/core/param_table.hpp"
#include "plait/fusion/route.hpp"

namespace pictures {

using plait::Index;

// Of SNR and LearningToBranch: node j of a level is expert j, node i above reads unit i, which
// weighs all nodes by static weights, those of the layer's z. Nodes of the last level that are
// networks have a unit each. Connections that are matrices cannot be said: ConfigError.
template <class Weights>
plait::Plan as_routes(const plait::RoutedPlan<Weights>& routed, plait::ParamTable& table) {
  plait::require_config(!routed.transforms, routed.where, "connections", "matrices", "weights");
  plait::Plan plan{{1, routed.input_dim}, {}};
  const auto& levels = routed.levels;
  for (std::size_t l = 0; l < levels.size() && levels[l].kind != plait::NodeKind::sum; ++l) {
    plait::LevelPlan& level = plan.levels.emplace_back();
    level.expert = {levels[l].width};
    for (Index j = 0; j < levels[l].nodes; ++j)
      level.route.experts.push_back({plait::text("experts.", l, ".", j), l == 0 ? Index{0} : j});
    const bool last = l + 1 == levels.size();
    const Index nodes = levels[l].nodes, above = last ? nodes : levels[l + 1].nodes;
    std::vector<Index> all(static_cast<std::size_t>(nodes));
    std::iota(all.begin(), all.end(), Index{0});
    const plait::ParamId z =
        last ? plait::ParamId{}
             : table.add_matrix(plait::text("z.", l + 1), above, nodes, plait::Init::constant(1));
    for (Index i = 0; i < above; ++i) {
      if (last)
        level.route.units.push_back({.experts = {i}, .statics = plait::StaticRoute{0, 1}});
      else
        level.route.units.push_back(
            {.experts = all, .statics = plait::StaticRoute{0, nodes, z, i}});
    }
  }
  return plan;
}

// Of AsymmetricSharing with the fusion `sum`: a task adds its network and its sources' networks.
// ConfigError for another fusion.
inline plait::Plan as_routes(const plait::AsymmetricSharing& sharing) {
  plait::require_config(sharing.fusion == plait::Fusion::sum, "AsymmetricSharing", "fusion",
                        "another", "sum");
  plait::LevelPlan level{.expert = sharing.expert};
  for (Index t = 0; t < sharing.num_tasks; ++t) {
    level.route.experts.push_back({plait::text("bottoms.", t)});
    plait::UnitRoute unit{.experts = {t}};
    for (const Index source : sharing.sources.at(static_cast<std::size_t>(t))) {
      if (sharing.stop_gradient) unit.stopped.push_back(std::ssize(unit.experts));
      unit.experts.push_back(source);
    }
    unit.statics = plait::StaticRoute{0, std::ssize(unit.experts)};
    level.route.units.push_back(std::move(unit));
  }
  return {{1, sharing.input_dim}, {level}};
}

}  // namespace pictures
