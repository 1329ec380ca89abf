#include "batch.hpp"

#include <algorithm>

#include "plait/sparse/embedding_tables.hpp"

namespace ranker {

Batch::Batch(const Dataset& data) : data_(data) {
  if (!data.encoded) return;
  const auto features = static_cast<std::size_t>(data.encoded->rows().sparse.num_features());
  ids_.resize(features);
  views_.resize(features);
}

void Batch::gather(std::span<const Index> rows) {
  size_ = std::ssize(rows);
  if (data_.encoded) {
    gather_features(rows);
  } else {
    x_.resize(size_, 1, data_.features.input_dim());
    ranker::gather(data_.features, rows, x_);
  }
  labels_.resize(size_, 1, data_.labels.cols());
  ranker::gather(data_.labels, rows, labels_);
  if (data_.mask.size() == 0) return;
  mask_.resize(size_, 1, data_.mask.cols());
  ranker::gather(data_.mask, rows, mask_);
}

void Batch::gather_features(std::span<const Index> rows) {
  const plait::FeatureBatch<float>& all = data_.encoded->rows();
  for (std::size_t f = 0; f < ids_.size(); ++f) {
    const plait::SparseFeature from = all.sparse.feature(static_cast<Index>(f));
    Ids& to = ids_[f];
    to.ids.clear();
    to.offsets.clear();
    if (!from.offsets.empty()) to.offsets.push_back(0);
    for (const Index row : rows) {
      const auto i = static_cast<std::size_t>(row);
      if (from.offsets.empty()) {
        to.ids.push_back(from.ids[i]);
        continue;
      }
      const auto bag =
          from.ids.subspan(static_cast<std::size_t>(from.offsets[i]),
                           static_cast<std::size_t>(from.offsets[i + 1] - from.offsets[i]));
      to.ids.insert(to.ids.end(), bag.begin(), bag.end());
      to.offsets.push_back(std::ssize(to.ids));
    }
    views_[f] = {.ids = to.ids, .offsets = to.offsets};
  }
  if (all.dense.dim() == 0) return;
  x_.resize(size_, 1, all.dense.dim());
  for (Index i = 0; i < size_; ++i)
    std::copy_n(all.dense.row(rows[static_cast<std::size_t>(i)]), all.dense.dim(),
                x_.view().row(i));
}

plait::BatchArgument<float> Batch::x() const {
  if (!data_.encoded) return x_.view();
  plait::FeatureBatch<float> features{.sparse = {size_, views_}};
  if (x_.view().dim() > 0) features.dense = x_.view();
  return features;
}

plait::Targets<float> Batch::targets() const {
  plait::Targets<float> targets{.labels = labels_};
  if (data_.mask.size() > 0) targets.mask = mask_;
  return targets;
}

plait::View3<const float> NetworkInput::operator()(const plait::BatchArgument<float>& x) {
  if (!x.is_sparse()) return x;
  x_.resize(x.batch(), 1, tables_->width());
  tables_->lookup(x.features(), x_);
  return x_.view();
}

}  // namespace ranker
