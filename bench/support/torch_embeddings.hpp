// The peer of tables: an nn.EmbeddingBag per feature, sums concatenated, moved by Adagrad through
// sparse gradients.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "plait/core/view.hpp"

namespace bench {

// Bags of equal size for every feature, ids [batch * bag].
using BagIds = std::vector<std::vector<std::uint64_t>>;

class TorchTables {
 public:
  // Tables of rows x dim, zero, one per feature.
  TorchTables(int features, std::int64_t rows, std::int64_t dim, double learning_rate);

  // A batch's ids in its own form, made before anything is timed.
  class Batch;
  std::shared_ptr<const Batch> batch(const BagIds& ids, std::int64_t bag) const;

  void fill(float number);
  void set_row(int feature, std::int64_t row, const float* values);
  plait::Matrix<float> row(int feature, std::int64_t row) const;

  // y [batch, features * dim], without what a gradient would need.
  plait::Matrix<float> lookup(const Batch& batch) const;
  void look_up(const Batch& batch) const;  // the same, thrown away
  // Forward, backward from dy, Adagrad.
  void step(const Batch& batch, const plait::Matrix<float>& dy);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace bench
