// PackedWeights: the weights of a parameter buffer laid out for x Wᵀ, a mirror that layers find
// through their ParamView.
//
// Packed once per load when serving, once per step when training; layers that get a ParamView
// without a mirror pack on the way and compute the same numbers. The backward reads the weights as
// they are: rows of W are contiguous in dy W.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/buffer.hpp"
#include "plait/core/instruction_set.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/param_table.hpp"
#include "plait/core/param_view.hpp"
#include "plait/kernels/bf16.hpp"
#include "plait/kernels/panels.hpp"

namespace plait {

namespace kernels {

// Numbers that the panels of a weight W [O, I] take in a format.
template <class Scalar>
Index packed_size(InstructionSet set, PackedFormat format, Index outputs, Index inputs) {
  return packed_size<Scalar>(set, outputs, lanes(format, inputs));
}

// Writes the panels. Formats other than full are for float, and allocate while they pack.
template <class Scalar>
PackedWeight<Scalar> pack_weight(InstructionSet set, PackedFormat format,
                                 MatrixMap<const Scalar> weight, Scalar* panels) {
  if (format == PackedFormat::full) {
    pack_weight<Scalar>(set, weight, panels);
  } else if constexpr (std::is_same_v<Scalar, float>) {
    const Index width = lanes(format, weight.cols());
    AlignedVector<float> rounded(static_cast<std::size_t>(weight.rows() * width));
    for (Index o = 0; o < weight.rows(); ++o)
      round_weights(set, format, weight.cols(), weight.data() + o * weight.outerStride(),
                    rounded.data() + o * width);
    pack_weight<float>(set, {rounded.data(), weight.rows(), width, Eigen::OuterStride<>(width)},
                       panels);
  }
  return {panels, weight.rows(), weight.cols(), nullptr, set, format};
}

}  // namespace kernels

template <class Scalar>
class PackedWeights {
 public:
  // Allocates for every weight of the table (ParamTable::add_weight), laid out for the instruction
  // set that runs, and packs nothing yet. Weights that `in_bf16`, by index in the table, names are
  // packed in bf16; but for joint ones. Empty: none.
  PLAIT_COLD explicit PackedWeights(const ParamTable& table, const std::vector<bool>& in_bf16 = {})
      : set_(instruction_set()), weights_(table.entries().size()) {
    std::vector<bool> joined(weights_.size(), false);
    for (const auto& joint : table.joints()) {
      products_.push_back({joint});
      for (const ParamId id : joint.weights) joined[static_cast<std::size_t>(id.index)] = true;
    }
    for (const auto& entry : table.entries())
      if (const auto i = static_cast<std::size_t>(entry.id.index); entry.is_weight && !joined[i]) {
        const bool reduced = !in_bf16.empty() && in_bf16[i];
        products_.push_back(
            {{{entry.id}, {}}, reduced ? kernels::bf16_format(set_) : PackedFormat::full});
      }

    Index size = 0;
    const auto place = [&size](Index count) { return std::exchange(size, size + count); };
    for (Product& product : products_) {
      product.panels = place(
          kernels::packed_size<Scalar>(set_, product.format, product.outputs(), product.inputs()));
      if (!product.is_joint()) continue;
      product.start = place(product.outputs());
      product.together = place(product.outputs() * product.inputs());
    }
    numbers_.resize(static_cast<std::size_t>(size));

    for (const Product& product : products_) {
      const Index first = product.joint.weights.front().index;
      weights_[static_cast<std::size_t>(first)] = {
          numbers_.data() + product.panels,
          product.outputs(),
          product.inputs(),
          product.is_joint() ? numbers_.data() + product.start : nullptr,
          set_,
          product.format};
    }
  }

  PackedWeights(const PackedWeights&) = delete;  // weights_ points into numbers_
  PackedWeights& operator=(const PackedWeights&) = delete;
  PackedWeights(PackedWeights&&) = default;
  PackedWeights& operator=(PackedWeights&&) = default;

  // Packs `values`, a buffer over the table, one task per weight.
  void pack(ParamView<Scalar> values, Executor* executor = nullptr) {
    run_tasks(executor, std::ssize(products_),
              [&](Index i) { pack(values, products_[static_cast<std::size_t>(i)]); });
  }

  // By index in the table; empty for what is not packed.
  std::span<const PackedWeight<Scalar>> weights() const { return weights_; }
  // The values with this mirror, which must outlive the view.
  ParamView<Scalar> view(ParamView<Scalar> values) const {
    return values.with_packed(weights_.data());
  }

 private:
  // Where the panels of one or several weights, packed as one, begin in numbers_.
  struct Product {
    ParamTable::Joint joint;
    PackedFormat format = PackedFormat::full;
    Index panels = 0;
    Index start = 0;     // of the biases together, zeros without; of joint weights only,
    Index together = 0;  // like their rows, one weight after the other

    bool is_joint() const { return joint.weights.size() > 1; }
    Index inputs() const { return joint.weights.front().cols; }
    Index outputs() const {
      Index sum = 0;
      for (const ParamId id : joint.weights) sum += id.rows;
      return sum;
    }
  };
  void pack(ParamView<Scalar> values, const Product& product) {
    const auto& ids = product.joint.weights;
    Scalar* panels = numbers_.data() + product.panels;
    if (!product.is_joint()) {
      kernels::pack_weight(set_, product.format, values.matrix(ids.front()), panels);
      return;
    }
    Scalar* together = numbers_.data() + product.together;
    Scalar* row = together;
    for (const ParamId id : ids) row = std::copy_n(values.data(id), id.size(), row);
    kernels::pack_weight<Scalar>(
        set_,
        {together, product.outputs(), product.inputs(), Eigen::OuterStride<>(product.inputs())},
        panels);
    Scalar* start = numbers_.data() + product.start;
    for (const ParamId id : product.joint.biases)
      start = std::copy_n(values.data(id), id.size(), start);
  }

  InstructionSet set_;  // that the panels are laid out for
  std::vector<Product> products_;
  AlignedVector<Scalar> numbers_;
  std::vector<PackedWeight<Scalar>> weights_;  // by index in the table; joint ones at their first
};

}  // namespace plait
