// ParamBuffer: one flat block of numbers over a table. Values, gradients, optimizer moments and
// averaged weights are all ParamBuffers, so an optimizer step is one loop, a reduction over threads
// one sum, a checkpoint one write.
#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "plait/core/buffer.hpp"
#include "plait/core/param_table.hpp"
#include "plait/core/param_view.hpp"
#include "plait/core/random.hpp"

namespace plait {

// One aligned block of numbers over a table, zeros at first. A value; copies share only the table.
template <class Scalar>
class ParamBuffer {
 public:
  ParamBuffer() : ParamBuffer(std::make_shared<const ParamTable>()) {}
  explicit ParamBuffer(std::shared_ptr<const ParamTable> table)
      : table_(std::move(table)), data_(static_cast<std::size_t>(table_->buffer_size())) {}

  const ParamTable& table() const { return *table_; }
  const std::shared_ptr<const ParamTable>& shared_table() const { return table_; }

  // As values, and as a gradient that is added to.
  ParamView<Scalar> view() const { return ParamView<Scalar>(data_.data()); }
  GradView<Scalar> grad() { return GradView<Scalar>(data_.data()); }
  operator ParamView<Scalar>() const { return view(); }
  operator GradView<Scalar>() { return grad(); }

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
        std::fill(numbers.begin(), numbers.end(), static_cast<Scalar>(entry.init.other));
        for (Index i = 0; i < (std::min)(entry.id.rows, entry.id.cols); ++i)
          numbers[static_cast<std::size_t>(i * entry.id.cols + i)] =
              static_cast<Scalar>(entry.init.value);
        break;
      case Init::Kind::last_column:
        for (Index i = 0; i < entry.id.size(); ++i)
          numbers[static_cast<std::size_t>(i)] = static_cast<Scalar>(
              (i + 1) % entry.id.cols == 0 ? entry.init.value : entry.init.other);
        break;
    }
  }
}

}  // namespace plait
