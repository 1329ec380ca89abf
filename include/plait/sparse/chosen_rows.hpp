// ChosenRows: rows of a batch in any order side by side, a shuffled part of a data set for one.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "plait/core/tensor.hpp"
#include "plait/core/view.hpp"
#include "plait/sparse/batch.hpp"

namespace plait {

// Copies ids, weights and numbers, and keeps its memory from one choice to the next.
template <class Scalar>
class ChosenRows {
 public:
  ChosenRows() = default;
  ChosenRows(const ChosenRows&) = delete;  // what it returned points into it
  ChosenRows& operator=(const ChosenRows&) = delete;

  // Rows of a batch that fits (EmbeddingLayout::check), each as often as it is named. Valid until
  // the next call. Allocates for more rows or ids than ever before.
  FeatureBatch<Scalar> choose(const FeatureBatch<Scalar>& all, std::span<const Index> rows) {
    const auto features = static_cast<std::size_t>(all.sparse.num_features());
    bags_.resize(features);
    views_.resize(features);
    for (std::size_t f = 0; f < features; ++f) {
      bags_[f].copy(all.sparse.feature(static_cast<Index>(f)), rows);
      views_[f] = {bags_[f].ids, bags_[f].offsets, bags_[f].weights};
    }
    FeatureBatch<Scalar> chosen{.sparse = {std::ssize(rows), views_}};
    if (!all.dense) return chosen;
    dense_.resize(std::ssize(rows), all.dense.slots(), all.dense.dim());
    for (Index i = 0; i < std::ssize(rows); ++i)
      for (Index s = 0; s < all.dense.slots(); ++s)
        std::copy_n(all.dense.row(rows[static_cast<std::size_t>(i)], s), all.dense.dim(),
                    dense_.view().row(i, s));
    chosen.dense = dense_.view();
    return chosen;
  }

 private:
  struct Bags {
    std::vector<std::uint64_t> ids;
    std::vector<std::int64_t> offsets;  // empty: an id per row
    std::vector<float> weights;

    void copy(const SparseFeature& from, std::span<const Index> rows) {
      ids.clear();
      weights.clear();
      offsets.assign(from.offsets.empty() ? 0 : 1, 0);
      for (const Index row : rows) {
        const auto r = static_cast<std::size_t>(row);
        const bool single = from.offsets.empty();
        const std::size_t begin = single ? r : static_cast<std::size_t>(from.offsets[r]);
        const std::size_t end = single ? r + 1 : static_cast<std::size_t>(from.offsets[r + 1]);
        for (std::size_t i = begin; i < end; ++i) {
          ids.push_back(from.ids[i]);
          if (!from.weights.empty()) weights.push_back(from.weights[i]);
        }
        if (!single) offsets.push_back(std::ssize(ids));
      }
    }
  };

  std::vector<Bags> bags_;
  std::vector<SparseFeature> views_;
  Tensor<Scalar> dense_;
};

}  // namespace plait
