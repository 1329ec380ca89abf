// PackedWeights: the weights of a parameter buffer laid out for the product kernels, a mirror that
// layers find through their ParamView.
//
// Packed once per load when serving, once per step when training; layers that get a ParamView
// without a mirror pack on the way and compute the same numbers.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "plait/core/buffer.hpp"
#include "plait/core/params.hpp"
#include "plait/kernels/panels.hpp"

namespace plait {

// What packed weights are for: scoring reads x Wᵀ alone, training also dy W.
enum class Packing { forward, both };

// Panels of Wᵀ for one weight W [O, I]; `panels` holds packed_size(O, I) numbers.
template <class Scalar>
Index packed_size(Index outputs, Index inputs) {
  return simd::Panels<Scalar>(outputs).padded() * inputs;
}
template <class Scalar>
void pack_weight(MatrixMap<const Scalar> weight, Scalar* panels) {
  const simd::Panels<Scalar> layout(weight.rows());
  for (Index p = 0; p < layout.count(); ++p) {
    const Index first = layout.first(p);
    simd::pack_transposed(weight.data() + first * weight.outerStride(), weight.outerStride(),
                          weight.cols(), layout.columns(p), layout.packets(p),
                          panels + first * weight.cols());
  }
}

template <class Scalar>
class PackedWeights {
 public:
  // Allocates for every weight of the table (ParamTable::add_weight), and packs nothing yet.
  PackedWeights(const ParamTable& table, Packing packing) : weights_(table.entries().size()) {
    const bool both = packing == Packing::both;
    Index size = 0;
    for (const auto& entry : table.entries()) {
      if (!entry.is_weight) continue;
      ids_.push_back(entry.id);
      size += forward_size(entry.id) + (both ? backward_size(entry.id) : 0);
    }
    numbers_.resize(static_cast<std::size_t>(size));
    Scalar* next = numbers_.data();
    for (const ParamId id : ids_) {
      of(id) = {next, nullptr, id.rows, id.cols, nullptr};
      next += forward_size(id);
      if (!both) continue;
      of(id).backward = next;
      next += backward_size(id);
    }
  }

  PackedWeights(const PackedWeights&) = delete;  // weights_ points into numbers_
  PackedWeights& operator=(const PackedWeights&) = delete;
  PackedWeights(PackedWeights&&) = default;
  PackedWeights& operator=(PackedWeights&&) = default;

  // Packs `values`, a buffer over the table.
  void pack(ParamView<const Scalar> values) {
    Scalar* next = numbers_.data();
    for (const ParamId id : ids_) {
      pack_weight(values.matrix(id), next);
      next += forward_size(id);
      if (of(id).backward == nullptr) continue;
      pack_backward(values.data(id), id, next);
      next += backward_size(id);
    }
  }

  // By index in the table; empty for what is not a weight.
  std::span<const PackedWeight<Scalar>> weights() const { return weights_; }
  // The values with this mirror, which must outlive the view.
  ParamView<const Scalar> view(ParamView<const Scalar> values) const {
    return values.with_packed(weights_.data());
  }

 private:
  using Panels = simd::Panels<Scalar>;

  static Index forward_size(ParamId id) { return packed_size<Scalar>(id.rows, id.cols); }
  static Index backward_size(ParamId id) { return Panels(id.cols).padded() * id.rows; }
  PackedWeight<Scalar>& of(ParamId id) { return weights_[static_cast<std::size_t>(id.index)]; }

  static void pack_backward(const Scalar* weight, ParamId id, Scalar* panels) {
    const Panels layout(id.cols);
    for (Index p = 0; p < layout.count(); ++p)
      simd::pack_rows(weight + layout.first(p), id.cols, id.rows, layout.columns(p),
                      layout.packets(p), panels + layout.first(p) * id.rows);
  }

  std::vector<ParamId> ids_;
  AlignedVector<Scalar> numbers_;
  std::vector<PackedWeight<Scalar>> weights_;  // by index in the table; null unless a weight
};

}  // namespace plait
