// Rows of a data set in any order, side by side: a shuffled batch, or a part that is scored whole.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataset.hpp"

namespace from_ids {

class ChosenRows {
 public:
  // Of `data`, which must outlive this and stay as it is.
  explicit ChosenRows(Dataset& data)
      : all_(data.rows.batch()),
        all_labels_(data.labels.data(), data.rows.size(), 1, std::ssize(data.heads)),
        features_(static_cast<std::size_t>(all_.sparse.num_features())),
        views_(features_.size()) {}
  ChosenRows(Dataset& data, std::span<const Index> rows) : ChosenRows(data) { choose(rows); }

  // Those that were chosen before are gone. Copies ids and numbers; encoded ids have no weights.
  void choose(std::span<const Index> rows) {
    for (std::size_t f = 0; f < features_.size(); ++f) {
      Ids& to = features_[f];
      copy(all_.sparse.whole()[f], rows, to);
      views_[f] = {.ids = to.ids, .offsets = to.offsets};
    }
    copy(all_.dense, rows, dense_);
    copy(all_labels_, rows, labels_);
    batch_ = std::ssize(rows);
  }

  Index size() const { return batch_; }
  plait::FeatureBatch<float> batch() const {
    plait::FeatureBatch<float> batch{.sparse = {batch_, views_}};
    if (all_.dense) batch.dense = {dense_.data(), batch_, 1, all_.dense.dim()};
    return batch;
  }
  plait::View3<const float> labels() const {
    return {labels_.data(), batch_, 1, all_labels_.dim()};
  }

 private:
  struct Ids {
    std::vector<std::uint64_t> ids;
    std::vector<std::int64_t> offsets;  // empty: an id per row
  };

  static void copy(const plait::SparseFeature& from, std::span<const Index> rows, Ids& to) {
    to.ids.clear();
    to.offsets.assign(from.offsets.empty() ? 0 : 1, 0);
    for (const Index row : rows) {
      const auto r = static_cast<std::size_t>(row);
      if (from.offsets.empty()) {
        to.ids.push_back(from.ids[r]);
      } else {
        to.ids.insert(to.ids.end(), from.ids.begin() + from.offsets[r],
                      from.ids.begin() + from.offsets[r + 1]);
        to.offsets.push_back(std::ssize(to.ids));
      }
    }
  }
  static void copy(plait::View3<const float> from, std::span<const Index> rows,
                   std::vector<float>& to) {
    to.clear();
    if (!from) return;
    for (const Index row : rows) to.insert(to.end(), from.row(row), from.row(row) + from.dim());
  }

  plait::FeatureBatch<float> all_;
  plait::View3<const float> all_labels_;
  std::vector<Ids> features_;
  std::vector<plait::SparseFeature> views_;
  std::vector<float> dense_, labels_;
  Index batch_ = 0;
};

}  // namespace from_ids
