// PackedWeights: the weights of a parameter buffer laid out for the product kernels, a mirror that
// layers find through their ParamView.
//
// Packed once per load when serving, once per step when training; layers that get a ParamView
// without a mirror pack on the way and compute the same numbers.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/buffer.hpp"
#include "plait/core/parallel.hpp"
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
    std::vector<bool> joined(weights_.size(), false);
    for (const auto& joint : table.joints()) {
      products_.push_back({joint});
      for (const ParamId id : joint.weights) joined[static_cast<std::size_t>(id.index)] = true;
    }
    for (const auto& entry : table.entries()) {
      if (!entry.is_weight) continue;
      if (both) backward_.push_back({entry.id, 0});
      if (!joined[static_cast<std::size_t>(entry.id.index)])
        products_.push_back({{{entry.id}, {}}});
    }

    Index size = 0;
    const auto place = [&size](Index count) { return std::exchange(size, size + count); };
    for (Product& product : products_) {
      product.panels = place(packed_size<Scalar>(product.outputs(), product.inputs()));
      if (!product.is_joint()) continue;
      product.start = place(product.outputs());
      product.together = place(product.outputs() * product.inputs());
    }
    for (Backward& weight : backward_)
      weight.panels = place(packed_size<Scalar>(weight.id.cols, weight.id.rows));
    numbers_.resize(static_cast<std::size_t>(size));

    for (const Product& product : products_) {
      auto& weight = of(product.joint.weights.front());
      weight.forward = numbers_.data() + product.panels;
      weight.outputs = product.outputs();
      weight.inputs = product.inputs();
      if (product.is_joint()) weight.start = numbers_.data() + product.start;
    }
    for (const Backward& weight : backward_) {
      of(weight.id).backward = numbers_.data() + weight.panels;
      of(weight.id).inputs = weight.id.cols;
    }
  }

  PackedWeights(const PackedWeights&) = delete;  // weights_ points into numbers_
  PackedWeights& operator=(const PackedWeights&) = delete;
  PackedWeights(PackedWeights&&) = default;
  PackedWeights& operator=(PackedWeights&&) = default;

  // Packs `values`, a buffer over the table, one task per weight and direction.
  void pack(ParamView<const Scalar> values, Executor* executor = nullptr) {
    const Index products = std::ssize(products_);
    run_tasks(executor, products + std::ssize(backward_), [&](Index i) {
      if (i < products) {
        pack(values, products_[static_cast<std::size_t>(i)]);
      } else {
        pack(values, backward_[static_cast<std::size_t>(i - products)]);
      }
    });
  }

  // By index in the table; empty for what is not packed.
  std::span<const PackedWeight<Scalar>> weights() const { return weights_; }
  // The values with this mirror, which must outlive the view.
  ParamView<const Scalar> view(ParamView<const Scalar> values) const {
    return values.with_packed(weights_.data());
  }

 private:
  // Where the panels of one or several weights, packed as one for x Wᵀ, begin in numbers_.
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
  struct Backward {
    ParamId id;
    Index panels;
  };

  PackedWeight<Scalar>& of(ParamId id) { return weights_[static_cast<std::size_t>(id.index)]; }

  void pack(ParamView<const Scalar> values, const Product& product) {
    const auto& ids = product.joint.weights;
    Scalar* panels = numbers_.data() + product.panels;
    if (!product.is_joint()) return pack_weight(values.matrix(ids.front()), panels);
    Scalar* together = numbers_.data() + product.together;
    Scalar* row = together;
    for (const ParamId id : ids) row = std::copy_n(values.data(id), id.size(), row);
    pack_weight<Scalar>(
        {together, product.outputs(), product.inputs(), Eigen::OuterStride<>(product.inputs())},
        panels);
    Scalar* start = numbers_.data() + product.start;
    for (const ParamId id : product.joint.biases)
      start = std::copy_n(values.data(id), id.size(), start);
  }
  void pack(ParamView<const Scalar> values, const Backward& weight) {
    const ParamId id = weight.id;
    const simd::Panels<Scalar> layout(id.cols);
    for (Index p = 0; p < layout.count(); ++p)
      simd::pack_rows(values.data(id) + layout.first(p), id.cols, id.rows, layout.columns(p),
                      layout.packets(p),
                      numbers_.data() + weight.panels + layout.first(p) * id.rows);
  }

  std::vector<Product> products_;
  std::vector<Backward> backward_;
  AlignedVector<Scalar> numbers_;
  std::vector<PackedWeight<Scalar>> weights_;  // by index in the table; joint ones at their first
};

}  // namespace plait
