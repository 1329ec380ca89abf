#include "batch.hpp"

#include "plait/sparse/embedding_tables.hpp"

namespace ranker {

void Batch::gather(std::span<const Index> rows) {
  size_ = std::ssize(rows);
  if (data_.encoded) {
    features_ = chosen_.choose(data_.encoded->rows(), rows);
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

plait::BatchArgument<float> Batch::x() const {
  if (!data_.encoded) return x_.view();
  return features_;
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
