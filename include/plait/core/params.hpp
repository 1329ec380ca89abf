// Parameters: one schema (ParamTable), flat blocks of numbers over it (ParamBuffer), and the views
// through which layers read values and accumulate gradients (ParamView).
//
// Values, gradients, optimizer moments and averaged weights are all ParamBuffers over one table, so
// an optimizer step is one loop, a reduction over threads one sum, a checkpoint one write.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "plait/core/buffer.hpp"
#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/random.hpp"
#include "plait/core/view.hpp"

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
  enum class Kind { constant, uniform, diagonal };
  Kind kind = Kind::constant;
  double value = 0;  // the constant; the bound b of U(-b, b); the diagonal
  double other = 0;  // off the diagonal

  static Init constant(double value) { return {Kind::constant, value, 0}; }
  static Init uniform(double bound) { return {Kind::uniform, bound, 0}; }
  static Init diagonal(double on, double off) { return {Kind::diagonal, on, off}; }
};

struct ParamEntry {
  std::string name;          // PyTorch state_dict key of the reference library where there is one
  std::vector<Index> shape;  // [n] or [rows, cols], row-major
  ParamId id;
  Init init;
  bool is_weight = false;  // multiplies: y = x Wᵀ
};

// The schema. Filled while layers are constructed, constant afterwards. A layer whose constructor
// throws may have added some of its parameters: start again with a fresh table.
class ParamTable {
 public:
  // At most `max_tensors`: what bounds the work of a description that comes from outside.
  explicit ParamTable(Index max_tensors = std::numeric_limits<Index>::max())
      : max_tensors_(max_tensors) {}

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
  ParamId add(const std::string& name, std::vector<Index> shape, Index rows, Index cols,
              Init init) {
    require_config(rows >= 1 && cols >= 1, "ParamTable", name, text(rows, " x ", cols),
                   "sizes of at least 1");
    require_config(!by_name_.contains(name), "ParamTable", "name", "a second '" + name + "'",
                   "unique names");
    require_config(std::ssize(entries_) < max_tensors_, "ParamTable", name, "one tensor more",
                   text("at most ", max_tensors_));
    constexpr Index most = std::numeric_limits<Index>::max() / 2;
    require_config(rows <= (most - buffer_size_) / cols, "ParamTable", name,
                   text(rows, " x ", cols), "sizes that can be counted");
    constexpr Index alignment = static_cast<Index>(buffer_alignment / sizeof(float));
    const ParamId id{static_cast<Index>(entries_.size()), buffer_size_, rows, cols};
    buffer_size_ += (id.size() + alignment - 1) / alignment * alignment;
    by_name_.emplace(name, entries_.size());
    entries_.push_back({name, std::move(shape), id, init, false});
    return id;
  }

  Index max_tensors_;
  std::vector<ParamEntry> entries_;
  std::vector<Joint> joints_;
  std::unordered_map<std::string, std::size_t> by_name_;
  Index buffer_size_ = 0;
};

// True when buffers over the two tables have the same names and shapes at the same places.
inline bool same_schema(const std::shared_ptr<const ParamTable>& a,
                        const std::shared_ptr<const ParamTable>& b) {
  return a == b || std::ranges::equal(a->entries(), b->entries(),
                                      [](const ParamEntry& x, const ParamEntry& y) {
                                        return x.name == y.name && x.shape == y.shape;
                                      });
}

// Throws ShapeError unless `got` has the schema that `where` was built for.
inline void require_schema(const char* where, const char* argument,
                           const std::shared_ptr<const ParamTable>& got,
                           const std::shared_ptr<const ParamTable>& expected) {
  if (same_schema(got, expected)) return;
  const auto describe = [](const ParamTable& table) {
    return text(table.entries().size(), " tensors, ", table.num_parameters(), " numbers");
  };
  throw ShapeError(where, argument, "a table of " + describe(*got),
                   "the one it was built for, of " + describe(*expected));
}

// A weight W [O, I] packed for the product kernels (kernels/packed_weights.hpp).
template <class Scalar>
struct PackedWeight {
  const Scalar* panels = nullptr;  // of Wᵀ, for x Wᵀ; null: not packed
  Index outputs = 0;               // O; of all weights together where they are packed as one
  Index inputs = 0;                // I
  const Scalar* start = nullptr;   // [O]: where the sums start, in the bias's place
};

// Non-owning access to a ParamBuffer by id; T is const for values, mutable for gradients. Values
// may come with a mirror of packed weights, gradients with flags of the tensors that nothing was
// added to: these count as zero, whatever their numbers, and become so when they are asked for by
// their own id.
template <class T>
class ParamView {
 public:
  using Packed = PackedWeight<std::remove_const_t<T>>;

  ParamView() = default;
  explicit ParamView(T* data) : data_(data) {}
  operator ParamView<const T>() const requires(!std::is_const_v<T>) {
    PLAIT_ASSERT(untouched_ == nullptr);  // a reader would not know
    return ParamView<const T>(data_);
  }

  // The same values with a mirror, one entry per tensor of the table.
  ParamView with_packed(const Packed* mirror) const {
    ParamView result(*this);
    result.packed_ = mirror;
    return result;
  }
  // The weight packed with its `outputs`; null when it is not.
  const Packed* packed(ParamId id, Index outputs) const {
    if (packed_ == nullptr) return nullptr;
    const Packed& weight = packed_[id.index];
    return weight.panels != nullptr && weight.outputs == outputs ? &weight : nullptr;
  }

  // The same gradient, a flag per tensor of the table.
  ParamView with_untouched(std::uint8_t* flags) const requires(!std::is_const_v<T>) {
    ParamView result(*this);
    result.untouched_ = flags;
    return result;
  }
  // True once for a tensor that nothing was added to. The caller overwrites it.
  bool take_untouched(ParamId id) const {
    return untouched_ != nullptr && std::exchange(untouched_[id.index], std::uint8_t{0}) != 0;
  }

  T* data(ParamId id) const {
    T* numbers = data_ + id.offset;
    if constexpr (!std::is_const_v<T>)
      if (take_untouched(id)) std::fill_n(numbers, id.size(), T(0));
    return numbers;
  }
  MatrixMap<T> matrix(ParamId id) const {
    return {data(id), id.rows, id.cols, Eigen::OuterStride<>(id.cols)};
  }
  VectorMap<T> vector(ParamId id) const { return {data(id), id.size()}; }

 private:
  T* data_ = nullptr;
  const Packed* packed_ = nullptr;
  std::uint8_t* untouched_ = nullptr;
};

// One aligned block of numbers over a table, zeros at first. A value; copies share only the table.
template <class Scalar>
class ParamBuffer {
 public:
  ParamBuffer() : ParamBuffer(std::make_shared<const ParamTable>()) {}
  explicit ParamBuffer(std::shared_ptr<const ParamTable> table)
      : table_(std::move(table)), data_(static_cast<std::size_t>(table_->buffer_size())) {}

  const ParamTable& table() const { return *table_; }
  const std::shared_ptr<const ParamTable>& shared_table() const { return table_; }

  ParamView<Scalar> view() { return ParamView<Scalar>(data_.data()); }
  ParamView<const Scalar> view() const { return ParamView<const Scalar>(data_.data()); }
  operator ParamView<Scalar>() { return view(); }
  operator ParamView<const Scalar>() const { return view(); }

  // The whole block, padding included.
  std::span<Scalar> flat() { return data_; }
  std::span<const Scalar> flat() const { return data_; }

  // One tensor's numbers, row-major.
  std::span<Scalar> of(ParamId id) {
    return flat().subspan(static_cast<std::size_t>(id.offset), static_cast<std::size_t>(id.size()));
  }
  std::span<const Scalar> of(ParamId id) const {
    return flat().subspan(static_cast<std::size_t>(id.offset), static_cast<std::size_t>(id.size()));
  }
  std::span<Scalar> of(std::string_view name) { return of(table_->at(name).id); }
  std::span<const Scalar> of(std::string_view name) const { return of(table_->at(name).id); }

  void set_zero() { std::fill(data_.begin(), data_.end(), Scalar(0)); }

 private:
  std::shared_ptr<const ParamTable> table_;
  AlignedVector<Scalar> data_;
};

// Draws every tensor's starting numbers in table order from one stream, so that no two tensors (and
// no two experts) start equal. Draws in double and rounds: float and double models start alike.
template <class Scalar>
void initialise(ParamBuffer<Scalar>& values, Random& random) {
  for (const auto& entry : values.table().entries()) {
    const auto numbers = values.of(entry.id);
    switch (entry.init.kind) {
      case Init::Kind::constant:
        std::fill(numbers.begin(), numbers.end(), static_cast<Scalar>(entry.init.value));
        break;
      case Init::Kind::uniform:
        for (Scalar& p : numbers) p = static_cast<Scalar>(random.symmetric(entry.init.value));
        break;
      case Init::Kind::diagonal:
        values.view().matrix(entry.id).setConstant(static_cast<Scalar>(entry.init.other));
        values.view().matrix(entry.id).diagonal().setConstant(
            static_cast<Scalar>(entry.init.value));
        break;
    }
  }
}

}  // namespace plait
