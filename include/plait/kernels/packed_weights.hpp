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
#include <utility>
#include <vector>

#include "plait/core/buffer.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/param_table.hpp"
#include "plait/core/param_view.hpp"
#include "plait/kernels/panels.hpp"

namespace plait {

namespace kernels {

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

}  // namespace kernels

template <class Scalar>
class PackedWeights {
 public:
  // Allocates for every weight of the table (ParamTable::add_weight), and packs nothing yet.
  PLAIT_COLD explicit PackedWeights(const ParamTable& table) : weights_(table.entries().size()) {
    std::vector<bool> joined(weights_.size(), false);
    for (const auto& joint : table.joints()) {
      products_.push_back({joint});
      for (const ParamId id : joint.weights) joined[static_cast<std::size_t>(id.index)] = true;
    }
    for (const auto& entry : table.entries())
      if (entry.is_weight && !joined[static_cast<std::size_t>(entry.id.index)])
        products_.push_back({{{entry.id}, {}}});

    Index size = 0;
    const auto place = [&size](Index count) { return std::exchange(size, size + count); };
    for (Product& product : products_) {
      product.panels = place(kernels::packed_size<Scalar>(product.outputs(), product.inputs()));
      if (!product.is_joint()) continue;
      product.start = place(product.outputs());
      product.together = place(product.outputs() * product.inputs());
    }
    numbers_.resize(static_cast<std::size_t>(size));

    for (const Product& product : products_) {
      const Index first = product.joint.weights.front().index;
      weights_[static_cast<std::size_t>(first)] = {
          numbers_.data() + product.panels, product.outputs(), product.inputs(),
          product.is_joint() ? numbers_.data() + product.start : nullptr};
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
    if (!product.is_joint()) return kernels::pack_weight(values.matrix(ids.front()), panels);
    Scalar* together = numbers_.data() + product.together;
    Scalar* row = together;
    for (const ParamId id : ids) row = std::copy_n(values.data(id), id.size(), row);
    kernels::pack_weight<Scalar>(
        {together, product.outputs(), product.inputs(), Eigen::OuterStride<>(product.inputs())},
        panels);
    Scalar* start = numbers_.data() + product.start;
    for (const ParamId id : product.joint.biases)
      start = std::copy_n(values.data(id), id.size(), start);
  }

  std::vector<Product> products_;
  AlignedVector<Scalar> numbers_;
  std::vector<PackedWeight<Scalar>> weights_;  // by index in the table; joint ones at their first
};

}  // namespace plait
