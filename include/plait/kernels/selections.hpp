// Selections: which experts each unit selects, the routing table that mixing reads.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"

namespace plait {

// Which experts each unit selects, and the columns of their weights: a table, both ways.
class Selections {
 public:
  // Where an expert's output goes: a column of weights and the unit that it belongs to.
  struct Use {
    Index unit;
    Index column;
  };
  static constexpr Index most_together = 4;
  // An expert and, for each unit of a group, the column that weighs it, or -1: not selected.
  struct Step {
    Index expert;
    std::array<Index, most_together> columns;
  };

  Selections() = default;
  // For each unit the experts that it selects, all in [0, experts). Takes time and memory in
  // proportion to the columns and the experts.
  PLAIT_COLD Selections(const std::vector<std::vector<Index>>& units, Index experts) {
    for (const auto& selected : units) {
      experts_.insert(experts_.end(), selected.begin(), selected.end());
      unit_ends_.push_back(static_cast<Index>(experts_.size()));
    }
    uses_ = uses_of(0, this->units());
    use_ends_.resize(static_cast<std::size_t>(experts) + 1);
    for (const Index e : experts_) ++use_ends_[static_cast<std::size_t>(e) + 1];
    std::partial_sum(use_ends_.begin(), use_ends_.end(), use_ends_.begin());
    const Index groups = (this->units() + most_together - 1) / most_together;
    for (Index g = 0; g < groups; ++g) {
      group_ends_.push_back(this->units() * (g + 1) / groups);
      add_steps(g);
      step_ends_.push_back(static_cast<Index>(steps_.size()));
    }
  }

  Index units() const { return static_cast<Index>(unit_ends_.size()) - 1; }
  Index experts() const { return static_cast<Index>(use_ends_.size()) - 1; }
  Index columns() const { return static_cast<Index>(experts_.size()); }
  // Of unit u: its first column and their number.
  Index first(Index u) const { return unit_ends_[static_cast<std::size_t>(u)]; }
  Index count(Index u) const { return first(u + 1) - first(u); }
  // The expert that a column weighs.
  Index expert(Index column) const { return experts_[static_cast<std::size_t>(column)]; }
  // The columns that weigh expert e, unit by unit.
  std::span<const Use> uses(Index e) const {
    const auto begin = static_cast<std::size_t>(use_ends_[static_cast<std::size_t>(e)]);
    const auto end = static_cast<std::size_t>(use_ends_[static_cast<std::size_t>(e) + 1]);
    return std::span(uses_).subspan(begin, end - begin);
  }
  // Units are mixed in groups of most_together at most, whose sizes differ by one at most: each
  // expert is read once for all of a group.
  Index groups() const { return static_cast<Index>(group_ends_.size()) - 1; }
  // Of group g: its first unit, their number, and what they select.
  Index first_unit(Index g) const { return group_ends_[static_cast<std::size_t>(g)]; }
  Index unit_count(Index g) const { return first_unit(g + 1) - first_unit(g); }
  std::span<const Step> steps(Index g) const {
    const auto begin = static_cast<std::size_t>(step_ends_[static_cast<std::size_t>(g)]);
    const auto end = static_cast<std::size_t>(step_ends_[static_cast<std::size_t>(g) + 1]);
    return std::span(steps_).subspan(begin, end - begin);
  }

 private:
  // The columns of some units, by expert, then unit by unit.
  PLAIT_COLD std::vector<Use> uses_of(Index from, Index to) const {
    std::vector<Use> result;
    for (Index u = from; u < to; ++u)
      for (Index c = first(u); c < first(u + 1); ++c) result.push_back({u, c});
    std::sort(result.begin(), result.end(), [&](const Use& a, const Use& b) {
      return std::pair(expert(a.column), a.column) < std::pair(expert(b.column), b.column);
    });
    return result;
  }

  // Of each expert in group g one step, or more where a unit selects it more than once.
  PLAIT_COLD void add_steps(Index g) {
    const std::size_t before = steps_.size();
    for (const Use& use : uses_of(first_unit(g), first_unit(g + 1))) {
      const Index e = expert(use.column);
      const auto unit = static_cast<std::size_t>(use.unit - first_unit(g));
      if (steps_.size() == before || steps_.back().expert != e || steps_.back().columns[unit] >= 0)
        steps_.push_back({e, {-1, -1, -1, -1}});
      steps_.back().columns[unit] = use.column;
    }
  }

  std::vector<Index> experts_;        // by column
  std::vector<Index> unit_ends_{0};   // unit u has columns unit_ends_[u] ... unit_ends_[u + 1] - 1
  std::vector<Use> uses_;             // by expert
  std::vector<Index> use_ends_{0};    // expert e has uses_ use_ends_[e] ... use_ends_[e + 1] - 1
  std::vector<Index> group_ends_{0};  // group g has units group_ends_[g] ... group_ends_[g + 1] - 1
  std::vector<Step> steps_;           // by group, then by expert
  std::vector<Index> step_ends_{0};   // group g has steps_ step_ends_[g] ... step_ends_[g + 1] - 1
};

}  // namespace plait
