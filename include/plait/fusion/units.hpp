// Units and their experts: what architectures share when they write their routes. Sizes come from
// files, too: whatever is built here is paid for out of the table's budget first.
#pragma once
#include <cstddef>
#include <initializer_list>
#include <numeric>
#include <string>
#include <vector>

#include "plait/core/each.hpp"
#include "plait/core/error.hpp"
#include "plait/core/param_table.hpp"
#include "plait/fusion/route.hpp"

namespace plait {

// The sizes that every trunk has; throws ConfigError.
PLAIT_COLD inline void check_trunk(const ParamTable& table, const std::string& where,
                                   Index input_dim, Index num_tasks, std::size_t num_levels) {
  require_config(input_dim >= 1, where, "input_dim", text(input_dim), "at least 1");
  require_config(num_tasks >= 1, where, "num_tasks", text(num_tasks), "at least 1");
  require_config(num_tasks <= table.budget().tensors, where, "num_tasks", text(num_tasks),
                 text("at most ", table.budget().tensors));
  require_config(num_levels >= 1, where, "levels", "0 levels", "at least one");
}

// Experts 0 ... E - 1 numbered unit by unit: unit u owns a number of them that follow one another.
class UnitExperts {
 public:
  // counts[u] experts for unit u. Throws ConfigError for a unit without experts, and for more than
  // the table has routes for.
  UnitExperts(ParamTable& table, const std::vector<Index>& counts, const std::string& where)
      : table_(table), where_(where) {
    for (const Index count : counts) add(count);
  }
  // `count` experts for each of `units` units.
  UnitExperts(ParamTable& table, Index units, Index count, const std::string& where)
      : table_(table), where_(where) {
    for (Index u = 0; u < units; ++u) add(count);
  }
  // The units of PLE and AdaTT: one per task, and one that is shared, numbered last, unless there
  // are no shared experts. task_experts has one entry for all tasks or one per task.
  UnitExperts(ParamTable& table, Index num_tasks, const std::vector<Index>& task_experts,
              Index shared_experts, const std::string& where)
      : table_(table), where_(where) {
    require_config(shared_experts >= 0, where, "shared_experts", text(shared_experts), "0 or more");
    const Each counts(task_experts, num_tasks, where, "task_experts");
    for (Index t = 0; t < num_tasks; ++t) add(counts[t]);
    if (shared_experts > 0) add(shared_experts);
  }

  Index units() const { return std::ssize(first_); }
  Index total() const { return total_; }
  // Of unit u: its first expert, and their number.
  Index first(Index u) const { return first_[static_cast<std::size_t>(u)]; }
  Index count(Index u) const { return (u + 1 < units() ? first(u + 1) : total_) - first(u); }

  // What a unit may select: the experts of some units, one after the other, or all of them. Each
  // takes as many routes of the table's budget; throws ConfigError for more than are left.
  std::vector<Index> of(std::initializer_list<Index> owners) const {
    std::vector<Index> result;
    for (const Index u : owners) append(first(u), count(u), result);
    return result;
  }
  std::vector<Index> all() const {
    std::vector<Index> result;
    append(0, total_, result);
    return result;
  }

  // Expert k of level l reads its owner's slot, or slot 0 when all slots hold one input; named
  // {name}.experts.{l}.{k}.
  PLAIT_COLD std::vector<ExpertRoute> routes(const std::string& name, std::size_t level,
                                             bool one_input) const {
    std::vector<ExpertRoute> result;
    for (Index u = 0; u < units(); ++u)
      for (Index k = first(u); k < first(u) + count(u); ++k)
        result.push_back(
            {join_name(name, text("experts.", level, ".", k)), one_input ? Index{0} : u});
    return result;
  }

 private:
  PLAIT_COLD void add(Index count) {
    require_config(count >= 1, where_, "experts of a unit", text(count), "at least 1");
    const Index most = table_.budget().routes - total_;
    require_config(count <= most, where_, "experts", text(count), text("at most ", most));
    first_.push_back(total_);
    total_ += count;
  }
  PLAIT_COLD void append(Index from, Index count, std::vector<Index>& to) const {
    table_.spend_routes(count, where_);
    const auto size = to.size();
    to.resize(size + static_cast<std::size_t>(count));
    std::iota(to.begin() + static_cast<std::ptrdiff_t>(size), to.end(), from);
  }

  ParamTable& table_;
  std::string where_;
  std::vector<Index> first_;  // by unit
  Index total_ = 0;
};

// The gate of unit u at level l in AdaTT and PLE: {name}.gate_weights.{l}.{u}.0 is its linear layer
// (the reference's Sequential(Linear, Softmax)); hidden layers, which the reference lacks, are
// ….body.
PLAIT_COLD inline GateRoute unit_gate(const std::string& name, std::size_t level, Index unit,
                                      bool one_input) {
  const std::string base = join_name(name, text("gate_weights.", level, ".", unit));
  return {base + ".body", base + ".0", one_input ? Index{0} : unit};
}

}  // namespace plait
