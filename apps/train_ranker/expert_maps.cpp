#include "expert_maps.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "batch.hpp"
#include "models.hpp"
#include "plait/inspect/expert_watch.hpp"
#include "plait/model/model.hpp"

namespace ranker {
namespace {

std::vector<std::string> numbered(const std::string& name, Index count) {
  std::vector<std::string> names;
  for (Index i = 1; i <= count; ++i)
    names.push_back(count == 1 ? name : name + ' ' + std::to_string(i));
  return names;
}

void append(std::vector<std::string>& to, const std::vector<std::string>& names) {
  to.insert(to.end(), names.begin(), names.end());
}

std::vector<std::string> expert_names(Index experts, Owners owners, Index shared,
                                      std::span<const plait::Head> heads) {
  if (owners == Owners::nobody) return numbered("expert", experts);
  if (owners == Owners::tasks) shared = 0;
  std::vector<std::string> names;
  for (const plait::Head& head : heads)
    append(names, numbered(head.name, (experts - shared) / std::ssize(heads)));
  append(names, numbered("shared", shared));
  return names;
}

// Units of the last level are the tasks', one or several of each. Below it a shared unit may follow
// them; where experts have no owners there is a unit for every expert of the next level.
std::vector<std::string> unit_names(Index units, bool last, Owners owners,
                                    std::span<const plait::Head> heads) {
  if (!last && owners == Owners::nobody) return numbered("to expert", units);
  std::vector<std::string> names;
  const Index each = owners == Owners::tasks ? units / std::ssize(heads) : 1;
  for (const plait::Head& head : heads) append(names, numbered(head.name, each));
  append(names, numbered("shared", units - each * std::ssize(heads)));
  return names;
}

bool mixes_by_statics(const plait::LevelReport& level) {
  for (Index u = 0; u < level.num_units(); ++u)
    if ((level.static_weights.row(u).array() != 0).count() > 1) return true;
  return false;
}

}  // namespace

plait::ExpertReport watch_experts(const plait::Model<float>& model, const Dataset& data,
                                  std::span<const Index> rows,
                                  const plait::EmbeddingTables<float>* tables) {
  constexpr std::size_t tile = 1024;
  plait::ExpertWatch watch(model);
  Batch batch(data);
  NetworkInput input(tables);
  for (; !rows.empty(); rows = rows.subspan(std::min(tile, rows.size()))) {
    batch.gather(rows.first(std::min(tile, rows.size())));
    watch.add(input(batch.x()));
  }
  return watch.report();
}

std::vector<LevelMap> expert_maps(const plait::ExpertReport& report, Owners owners,
                                  Index shared_experts, std::span<const plait::Head> heads,
                                  const plait::DrawnRoutes& drawn) {
  std::vector<LevelMap> maps;
  for (std::size_t l = 0; l < report.levels.size(); ++l) {
    const plait::LevelReport& level = report.levels[l];
    LevelMap map;
    // A unit without a gate has no entropy.
    const bool gated = std::any_of(level.entropy.begin(), level.entropy.end(),
                                   [](double entropy) { return !std::isnan(entropy); });
    const bool is_drawn = l < drawn.levels.size();
    if (!gated && !mixes_by_statics(level) && !is_drawn) continue;
    map.level = static_cast<Index>(l) + 1;
    map.units = unit_names(level.num_units(), l + 1 == report.levels.size(), owners, heads);
    map.experts = expert_names(level.num_experts(), owners, shared_experts, heads);
    if (gated) map.gates = level.gate_weights;
    if ((level.static_weights.array() != 0).any()) map.statics = level.static_weights;
    if (is_drawn) map.drawn = drawn.levels[l];
    maps.push_back(std::move(map));
  }
  if (drawn.blocks.size() > 0) {
    LevelMap map;
    map.units = expert_names(std::ssize(heads), Owners::tasks, 0, heads);
    map.experts = numbered("block", drawn.blocks.cols());
    map.drawn = drawn.blocks;
    maps.push_back(std::move(map));
  }
  return maps;
}

}  // namespace ranker
