// ParamTable: the schema of a network's parameters, names, shapes, places and how they start.
// Layers add to it while they are built and hold ParamIds afterwards; the numbers are in
// ParamBuffers.
#pragma once
#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "plait/core/buffer.hpp"
#include "plait/core/config.hpp"
#include "plait/core/error.hpp"

namespace plait {

// Where one parameter tensor lies in every buffer over its table. Layers hold these instead of
// numbers.
struct ParamId {
  Index index = -1;  // position in ParamTable::entries()
  Index offset = 0;  // first element
  Index rows = 0;    // 1 for vectors
  Index cols = 0;
  Index size() const { return rows * cols; }
};

// Numbers [offset, offset + size) of every buffer over a table: a tensor, a part of one, or several
// that lie side by side.
struct ParamRange {
  Index offset = 0;
  Index size = 0;
  Index end() const { return offset + size; }
};

// How a parameter starts.
struct Init {
  enum class Kind { constant, uniform, diagonal, last_column };
  Kind kind = Kind::constant;
  double value = 0;  // the constant; the bound b of U(-b, b); the diagonal; the last column
  double other = 0;  // off the diagonal; in the other columns

  static Init constant(double value) { return {Kind::constant, value, 0}; }
  static Init uniform(double bound) { return {Kind::uniform, bound, 0}; }
  static Init diagonal(double on, double off) { return {Kind::diagonal, on, off}; }
  static Init last_column(double last, double others) { return {Kind::last_column, last, others}; }
};

struct ParamEntry {
  std::string name;          // PyTorch state_dict key of the reference library where there is one
  std::vector<Index> shape;  // [n] or [rows, cols], row-major
  ParamId id;
  Init init;
  bool is_weight = false;  // multiplies: y = x Wᵀ
  bool is_last = false;    // the weight of a tower's or a gate's last layer
};

// "prefix.name", or the one that is not empty.
inline std::string join_name(const std::string& prefix, const std::string& name) {
  if (prefix.empty() || name.empty()) return prefix + name;
  return prefix + "." + name;
}

// What a table takes: bounds of the work that a description from outside may cause.
struct ParamBudget {
  static constexpr Index unlimited = (std::numeric_limits<Index>::max)();
  Index tensors = unlimited;
  Index routes = unlimited;       // pairs of a unit and an expert that it selects
  Index activations = unlimited;  // numbers that experts and units make of one row
  Index terms = unlimited;        // of the sums over experts that units take for one row
};

// The schema. Filled while layers are constructed, constant afterwards. A layer whose constructor
// throws may have added some of its parameters: start again with a fresh table.
class ParamTable {
 public:
  explicit ParamTable(ParamBudget budget = {}) : budget_(budget) {}

  // Both throw ConfigError for a name that is taken, a size below 1, more tensors than the table
  // takes, or more numbers than can be counted.
  ParamId add_vector(const std::string& name, Index size, Init init) {
    return add(name, {size}, 1, size, init);
  }
  ParamId add_matrix(const std::string& name, Index rows, Index cols, Init init) {
    return add(name, {rows, cols}, rows, cols, init);
  }
  // A matrix that multiplies, y = x Wᵀ: PackedWeights keeps it ready for the product kernels.
  ParamId add_weight(const std::string& name, Index rows, Index cols, Init init) {
    const ParamId id = add_matrix(name, rows, cols, init);
    entries_.back().is_weight = true;
    return id;
  }

  // Says that a weight makes logits, of tasks or of gates: where other products are computed in
  // reduced precision, these are not.
  void mark_last(ParamId weight) {
    entries_[static_cast<std::size_t>(weight.index)].is_last = true;
  }

  // What is left of the budget. Every task has a tensor, every route a number.
  const ParamBudget& budget() const { return budget_; }
  // Takes `count` routes; throws ConfigError, in the name of `where`, for more than are left.
  void spend_routes(Index count, const std::string& where) {
    spend(count, 1, budget_.routes, where, "routes");
  }
  // As many activations, or terms of sums, for one row: `count` slots of `width` numbers. Experts
  // without parameters, and units, cost no tensor that a file would have to hold.
  void spend_activations(Index count, Index width, const std::string& where) {
    spend(count, width, budget_.activations, where, "activations of a row");
  }
  void spend_terms(Index count, Index width, const std::string& where) {
    spend(count, width, budget_.terms, where, "terms of a row's sums");
  }

  // Weights that always multiply the same input, with their biases (all or none): PackedWeights
  // keeps them as one, so that their products are one.
  struct Joint {
    std::vector<ParamId> weights;
    std::vector<ParamId> biases;
  };
  void join(Joint joint) { joints_.push_back(std::move(joint)); }
  const std::vector<Joint>& joints() const { return joints_; }

  const std::vector<ParamEntry>& entries() const { return entries_; }

  // Throws ConfigError when there is no such name.
  const ParamEntry& at(std::string_view name) const {
    const auto found = by_name_.find(std::string(name));
    require_config(found != by_name_.end(), "ParamTable", "name", std::string(name),
                   "the name of a parameter of this table");
    return entries_[found->second];
  }
  bool contains(std::string_view name) const { return by_name_.contains(std::string(name)); }

  // Elements of a buffer over this table; includes the padding that starts each tensor on a cache
  // line. Padding is zero in every buffer and stays zero under every optimizer.
  Index buffer_size() const { return buffer_size_; }
  // What was added since the table had `size` elements.
  ParamRange range_from(Index size) const { return {size, buffer_size_ - size}; }
  // Trainable numbers, without padding.
  Index num_parameters() const {
    Index total = 0;
    for (const auto& entry : entries_) total += entry.id.size();
    return total;
  }

 private:
  PLAIT_COLD static void spend(Index count, Index width, Index& left, const std::string& where,
                               const char* what) {
    require_config(count >= 0 && width >= 1, where, what, text(count, " x ", width),
                   "a count of at least 0, of a width of at least 1");
    require_config(count <= left / width, where, what,
                   width == 1 ? text(count) : text(count, " x ", width), text("at most ", left));
    left -= count * width;
  }

  PLAIT_COLD ParamId add(const std::string& name, std::vector<Index> shape, Index rows, Index cols,
                         Init init) {
    require_config(rows >= 1 && cols >= 1, "ParamTable", name, text(rows, " x ", cols),
                   "sizes of at least 1");
    require_config(!by_name_.contains(name), "ParamTable", "name", "a second " + in_quotes(name),
                   "unique names");
    require_config(budget_.tensors > 0, "ParamTable", name, "one tensor more",
                   text("at most ", entries_.size()));
    constexpr Index most = (std::numeric_limits<Index>::max)() / 2;
    require_config(rows <= (most - buffer_size_) / cols, "ParamTable", name,
                   text(rows, " x ", cols), "sizes that can be counted");
    constexpr Index alignment = static_cast<Index>(buffer_alignment / sizeof(float));
    const ParamId id{static_cast<Index>(entries_.size()), buffer_size_, rows, cols};
    buffer_size_ += (id.size() + alignment - 1) / alignment * alignment;
    by_name_.emplace(name, entries_.size());
    entries_.push_back({name, std::move(shape), id, init, false, false});
    --budget_.tensors;
    return id;
  }

  ParamBudget budget_;
  std::vector<ParamEntry> entries_;
  std::vector<Joint> joints_;
  std::unordered_map<std::string, std::size_t> by_name_;
  Index buffer_size_ = 0;
};

// True when buffers over the two tables have the same names and shapes at the same places. Null is
// the table of a buffer that was moved from, and like no table.
inline bool same_schema(const std::shared_ptr<const ParamTable>& a,
                        const std::shared_ptr<const ParamTable>& b) {
  const auto same = [](const ParamEntry& x, const ParamEntry& y) {
    return x.name == y.name && x.shape == y.shape;
  };
  if (a == nullptr || b == nullptr) return a == b;
  return a == b || std::equal(a->entries().begin(), a->entries().end(), b->entries().begin(),
                              b->entries().end(), same);
}

// Throws ShapeError unless `got` has the schema that `where` was built for.
inline void require_schema(const char* where, const char* argument,
                           const std::shared_ptr<const ParamTable>& got,
                           const std::shared_ptr<const ParamTable>& expected) {
  if (same_schema(got, expected)) return;
  const auto describe = [](const std::shared_ptr<const ParamTable>& table) {
    if (table == nullptr) return std::string("none: it was moved from");
    return text(table->entries().size(), " tensors, ", table->num_parameters(), " numbers");
  };
  throw ShapeError(where, argument, "a table of " + describe(got),
                   "the one it was built for, of " + describe(expected));
}

}  // namespace plait
