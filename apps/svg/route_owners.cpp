#include "svg/route_owners.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>

namespace svg {
namespace {

using plait::LevelRoute;
using plait::UnitRoute;

std::size_t at(Index i) {
  if (i < 0) throw std::out_of_range("svg::owners_of: an index below 0");
  return static_cast<std::size_t>(i);
}

// The task that some things are of: none so far, one, or several.
class Common {
 public:
  void add(Index owner) {
    if (owner == nobody || owner == owner_) return;
    several_ = several_ || owner_ != nobody;
    owner_ = owner;
  }
  Index owner() const { return several_ ? nobody : owner_; }

 private:
  Index owner_ = nobody;
  bool several_ = false;
};

bool has_static_weight(const UnitRoute& unit, Index position) {
  return unit.statics && position >= unit.statics->first &&
         position < unit.statics->first + unit.statics->count;
}

bool is_stitch(const LevelRoute& level) {
  return level.experts.size() > 1 && level.experts.size() == level.units.size() &&
         std::ranges::all_of(level.units, [&](const UnitRoute& unit) {
           return !unit.gate && unit.statics && unit.statics->weights &&
                  unit.experts.size() == level.experts.size();
         });
}

// From the experts of the level above.
std::vector<Index> unit_owners(const LevelRoute& level, const LevelRoute& above,
                               const std::vector<Index>& expert_owners) {
  std::vector<Index> owners(level.units.size(), nobody);
  std::vector<bool> is_shared(level.units.size());
  std::vector<Common> readers(level.units.size());
  for (std::size_t e = 0; e < above.experts.size(); ++e) {
    const std::size_t slot = at(above.experts[e].slot);
    readers.at(slot).add(expert_owners[e]);
    if (expert_owners[e] == nobody) is_shared[slot] = true;
  }
  for (std::size_t u = 0; u < owners.size(); ++u)
    if (!is_shared[u]) owners[u] = readers[u].owner();
  return owners;
}

std::vector<Index> expert_owners(const LevelRoute& level, const std::vector<Index>& unit_owners) {
  if (is_stitch(level)) return unit_owners;
  const std::size_t experts = level.experts.size();
  std::vector<Common> weighers(experts), statics(experts);
  std::vector<Index> static_units(experts);
  for (std::size_t u = 0; u < level.units.size(); ++u) {
    const UnitRoute& unit = level.units[u];
    for (Index j = 0; j < std::ssize(unit.experts); ++j) {
      if (std::ranges::find(unit.stopped, j) != unit.stopped.end()) continue;
      const std::size_t e = at(unit.experts[static_cast<std::size_t>(j)]);
      weighers.at(e).add(unit_owners[u]);
      if (!has_static_weight(unit, j)) continue;
      statics[e].add(unit_owners[u]);
      ++static_units[e];
    }
  }
  std::vector<Index> owners;
  for (std::size_t e = 0; e < experts; ++e)
    owners.push_back(static_units[e] == 1 ? statics[e].owner() : weighers[e].owner());
  return owners;
}

}  // namespace

std::vector<LevelOwners> owners_of(const plait::Plan& plan) {
  std::vector<LevelOwners> result(plan.levels.size());
  for (std::size_t l = plan.levels.size(); l-- > 0;) {
    const LevelRoute& level = plan.levels[l].route;
    LevelOwners& owners = result[l];
    if (l + 1 == plan.levels.size())
      for (Index u = 0; u < std::ssize(level.units); ++u) owners.units.push_back(u);
    else
      owners.units = unit_owners(level, plan.levels[l + 1].route, result[l + 1].experts);
    owners.experts = expert_owners(level, owners.units);
  }
  return result;
}

}  // namespace svg
