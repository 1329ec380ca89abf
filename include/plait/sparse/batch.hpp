// Batches of ids: what a ranker knows of a row beside numbers. Per feature, every row has a bag of
// ids, none, one or many, as compressed rows: the ids of all rows one after the other, and offsets
// that say where each row's begin.
//
//   ids      3 1 1 7      row 0: {3, 1}   row 1: {}   row 2: {1, 7}
//   offsets  0 2 2 4
//
// All of it is views: nothing is copied from a reader of logs, an encoder or a request. Ids are
// 64-bit numbers and never floats, which hold no id above 16,777,216 but every second, fourth, ...
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"

namespace plait {

// The bags of one feature. A view: it owns nothing.
struct SparseFeature {
  std::span<const std::uint64_t> ids;          // rows of a table, 0 ... rows - 1
  std::span<const std::int64_t> offsets = {};  // [B + 1], from 0 to the ids; none: an id per row
  std::span<const float> weights = {};         // [ids], of a sum; none: all 1
};

// B rows of several features. A view as well: the array of features must outlive it. Nothing is
// checked here; EmbeddingTables::check does it once for a batch, before anything is changed.
class SparseBatch {
 public:
  SparseBatch() = default;
  SparseBatch(Index batch, std::span<const SparseFeature> features)
      : features_(features), whole_batch_(batch), batch_(batch) {}

  Index batch() const { return batch_; }
  Index num_features() const { return std::ssize(features_); }

  // Of the rows of this batch: offsets begin where the first row's ids do, in ids and weights that
  // are those of all rows.
  SparseFeature feature(Index f) const {
    SparseFeature feature = features_[static_cast<std::size_t>(f)];
    const auto first = static_cast<std::size_t>(first_);
    const auto count = static_cast<std::size_t>(batch_);
    if (!feature.offsets.empty()) {
      feature.offsets = feature.offsets.subspan(first, count + 1);
      return feature;
    }
    feature.ids = feature.ids.subspan(first, count);
    if (!feature.weights.empty()) feature.weights = feature.weights.subspan(first, count);
    return feature;
  }
  // Rows [first, first + count), in constant time.
  SparseBatch rows(Index first, Index count) const {
    PLAIT_ASSERT(first >= 0 && count >= 0 && first + count <= batch_);
    SparseBatch part = *this;
    part.first_ += first;
    part.batch_ = count;
    return part;
  }

  // The features as they were given, how many rows they are of, and the first row of this batch
  // among them.
  std::span<const SparseFeature> whole() const { return features_; }
  Index whole_batch() const { return whole_batch_; }
  Index first_row() const { return first_; }

 private:
  std::span<const SparseFeature> features_;
  Index whole_batch_ = 0;
  Index first_ = 0;
  Index batch_ = 0;
};

// What a step or a call of a scorer takes: ids, and numbers [B, 1, D] beside them, none where the
// description has none.
template <class Scalar>
struct FeatureBatch {
  SparseBatch sparse;
  View3<const Scalar> dense = {};

  Index batch() const { return sparse.batch(); }
  FeatureBatch rows(Index first, Index count) const {
    return {sparse.rows(first, count), dense.dim() == 0 ? dense : dense.rows(first, count)};
  }
};

}  // namespace plait
