// Rows of a data set in any order, side by side: a shuffled batch, or a part that is scored whole.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>

#include "dataset.hpp"
#include "plait/core/tensor.hpp"
#include "plait/sparse/chosen_rows.hpp"

namespace from_ids {

class ChosenRows {
 public:
  // Of `data`, which must outlive this and stay as it is.
  explicit ChosenRows(Dataset& data)
      : all_(data.rows.batch()),
        all_labels_(data.labels.data(), data.rows.size(), 1, std::ssize(data.heads)) {}
  ChosenRows(Dataset& data, std::span<const Index> rows) : ChosenRows(data) { choose(rows); }

  // Those that were chosen before are gone.
  void choose(std::span<const Index> rows) {
    batch_ = chosen_.choose(all_, rows);
    labels_.resize(std::ssize(rows), 1, all_labels_.dim());
    for (Index i = 0; i < std::ssize(rows); ++i)
      std::copy_n(all_labels_.row(rows[static_cast<std::size_t>(i)]), all_labels_.dim(),
                  labels_.view().row(i));
  }

  Index size() const { return batch_.batch(); }
  const plait::FeatureBatch<float>& batch() const { return batch_; }
  plait::View3<const float> labels() const { return labels_.view(); }

 private:
  plait::FeatureBatch<float> all_;
  plait::View3<const float> all_labels_;
  plait::ChosenRows<float> chosen_;
  plait::FeatureBatch<float> batch_;
  plait::Tensor<float> labels_;
};

}  // namespace from_ids
