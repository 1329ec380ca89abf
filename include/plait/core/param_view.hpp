// The two ways in which layers reach numbers by id: ParamView reads values, GradView takes
// gradients.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "plait/core/config.hpp"
#include "plait/core/instruction_set.hpp"
#include "plait/core/param_table.hpp"
#include "plait/core/view.hpp"

namespace plait {

// What the numbers of a packed weight are:
//
//   full     as they are
//   rounded  rounded to bf16, each in a number of its own
//   pairs    the same in half the room: W[o, 2g] and W[o, 2g + 1] in one lane of 32 bits
//
// The products of the last two round x as well: kernels/bf16.hpp.
enum class PackedFormat : std::uint8_t { full, rounded, pairs };

// A weight W [O, I] packed for the product kernels (kernels/packed_weights.hpp).
template <class Scalar>
struct PackedWeight {
  const Scalar* panels = nullptr;  // of Wᵀ, for x Wᵀ; null: not packed
  Index outputs = 0;               // O; of all weights together where they are packed as one
  Index inputs = 0;                // I
  const Scalar* start = nullptr;   // [O]: where the sums start, in the bias's place
  InstructionSet set = least_instruction_set;  // that the panels are laid out for
  PackedFormat format = PackedFormat::full;
};

// Values, read by id; trivially copyable. May come with a mirror of packed weights.
template <class Scalar>
class ParamView {
 public:
  using Packed = PackedWeight<Scalar>;

  ParamView() = default;
  explicit ParamView(const Scalar* data) : data_(data) {}

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

  const Scalar* data(ParamId id) const { return data_ + id.offset; }
  MatrixMap<const Scalar> matrix(ParamId id) const {
    return {data(id), id.rows, id.cols, Eigen::OuterStride<>(id.cols)};
  }
  VectorMap<const Scalar> vector(ParamId id) const { return {data(id), id.size()}; }

 private:
  const Scalar* data_ = nullptr;
  const Packed* packed_ = nullptr;
};

// A tensor's gradient as its layer is to write it.
template <class Scalar>
struct GradSlot {
  Scalar* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  bool overwrite = false;  // nobody has written it: = instead of +=, whatever is in it

  MatrixMap<Scalar> matrix() const { return {data, rows, cols, Eigen::OuterStride<>(cols)}; }
};

// Gradients, taken by id; trivially copyable. A buffer's own view is added to. A buffer that holds
// anything at all (from_anything) is written by claims: who is first overwrites, which spares
// zeroing the buffer and reading the zeros, and zero_unclaimed() does the rest.
template <class Scalar>
class GradView {
 public:
  GradView() = default;
  explicit GradView(Scalar* data) : data_(data) {}

  // `unclaimed` [tensors of the table] is 1 where nobody has written; claims set it to 0.
  static GradView from_anything(Scalar* data, std::uint8_t* unclaimed) {
    GradView result(data);
    result.unclaimed_ = unclaimed;
    return result;
  }

  // The tensor, for one who can overwrite it as well as add to it. The flag is for this call alone:
  // claim once, and write all of it.
  GradSlot<Scalar> claim(ParamId id) const {
    return {data_ + id.offset, id.rows, id.cols, is_first(id)};
  }
  // The tensor, for one who only adds; zeroed first where nobody has written it.
  GradSlot<Scalar> add_to(ParamId id) const {
    GradSlot<Scalar> slot = claim(id);
    if (slot.overwrite) std::fill_n(slot.data, id.size(), Scalar(0));
    slot.overwrite = false;
    return slot;
  }
  // Zeros every tensor of the table that nobody has written.
  void zero_unclaimed(const ParamTable& table) const {
    if (unclaimed_ == nullptr) return;
    for (const auto& entry : table.entries()) add_to(entry.id);
  }

 private:
  bool is_first(ParamId id) const {
    return unclaimed_ != nullptr && std::exchange(unclaimed_[id.index], std::uint8_t{0}) != 0;
  }

  Scalar* data_ = nullptr;
  std::uint8_t* unclaimed_ = nullptr;
};

}  // namespace plait
