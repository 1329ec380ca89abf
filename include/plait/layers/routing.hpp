// What the architectures' headers share when they write their routes: checks of sizes, "one entry
// for all or one per item" lists, and the numbering of experts that belong to units.
#pragma once
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/layers/fusion_level.hpp"
#include "plait/layers/linear.hpp"

namespace plait {

// A list of `count` entries from one that gives a single entry for all, or one for each. Throws
// ConfigError for any other length.
template <class T>
std::vector<T> one_or_each(const std::vector<T>& given, Index count, const std::string& where,
                           const std::string& argument) {
  const auto n = static_cast<std::size_t>(count);
  if (given.size() == n) return given;
  require_config(given.size() == 1, where, argument, text(given.size(), " entries"),
                 text("1 or ", count));
  return std::vector<T>(n, given.front());
}

// The sizes that every trunk has; throws ConfigError.
inline void check_trunk(const std::string& where, Index input_dim, Index num_tasks,
                        std::size_t num_levels) {
  require_config(input_dim >= 1, where, "input_dim", text(input_dim), "at least 1");
  require_config(num_tasks >= 1, where, "num_tasks", text(num_tasks), "at least 1");
  require_config(num_levels >= 1, where, "levels", "0 levels", "at least one");
}

// Experts 0 ... E - 1 numbered unit by unit: unit u owns counts[u] of them from first[u] on.
class UnitExperts {
 public:
  // Throws ConfigError for a unit without experts.
  UnitExperts(std::vector<Index> counts, const std::string& where) : counts_(std::move(counts)) {
    for (const Index count : counts_) {
      require_config(count >= 1, where, "experts of a unit", text(count), "at least 1");
      first_.push_back(total_);
      total_ += count;
    }
  }

  Index units() const { return static_cast<Index>(counts_.size()); }
  Index total() const { return total_; }
  Index count(Index unit) const { return counts_[static_cast<std::size_t>(unit)]; }
  Index first(Index unit) const { return first_[static_cast<std::size_t>(unit)]; }

  // The unit's own experts, and all experts.
  std::vector<Index> of(Index unit) const { return range(first(unit), count(unit)); }
  std::vector<Index> all() const { return range(0, total_); }

  // Expert k of level l reads its owner's slot, or slot 0 when all slots hold one input; named
  // {name}.experts.{l}.{k}.
  std::vector<ExpertRoute> routes(const std::string& name, std::size_t level,
                                  bool one_input) const {
    std::vector<ExpertRoute> result;
    for (Index u = 0; u < units(); ++u)
      for (const Index k : of(u))
        result.push_back(
            {join_name(name, text("experts.", level, ".", k)), one_input ? Index{0} : u});
    return result;
  }

 private:
  static std::vector<Index> range(Index first, Index count) {
    std::vector<Index> result(static_cast<std::size_t>(count));
    std::iota(result.begin(), result.end(), first);
    return result;
  }

  std::vector<Index> counts_;
  std::vector<Index> first_;
  Index total_ = 0;
};

// The units of PLE and AdaTT: one per task, and one that is shared, numbered last, unless there are
// no shared experts. Throws ConfigError.
inline UnitExperts task_and_shared_units(const std::string& where, Index num_tasks,
                                         const std::vector<Index>& task_experts,
                                         Index shared_experts) {
  require_config(shared_experts >= 0, where, "shared_experts", text(shared_experts), "0 or more");
  auto counts = one_or_each(task_experts, num_tasks, where, "task_experts");
  if (shared_experts > 0) counts.push_back(shared_experts);
  return {std::move(counts), where};
}

// The gate of unit u at level l in AdaTT and PLE: {name}.gate_weights.{l}.{u}.0 is its linear layer
// (the reference's Sequential(Linear, Softmax)); hidden layers, which the reference lacks, are
// ….body.
inline GateRoute unit_gate(const std::string& name, std::size_t level, Index unit, bool one_input) {
  const std::string base = join_name(name, text("gate_weights.", level, ".", unit));
  return {base + ".body", base + ".0", one_input ? Index{0} : unit};
}

}  // namespace plait
