// Rows of a data set side by side, as trainers take them.
#pragma once
#include <span>

#include "dataset.hpp"
#include "plait/core/tensor.hpp"
#include "plait/losses/targets.hpp"
#include "plait/sparse/chosen_rows.hpp"
#include "plait/sparse/input_tables.hpp"

namespace plait {
template <class Scalar>
class EmbeddingTables;
}

namespace ranker {

// Keeps its memory from one batch to the next.
class Batch {
 public:
  // The data set must outlive it.
  explicit Batch(const Dataset& data) : data_(data) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void gather(std::span<const Index> rows);

  // Of the rows gathered last, valid until the next.
  plait::BatchArgument<float> x() const;
  plait::Targets<float> targets() const;

 private:
  const Dataset& data_;
  Index size_ = 0;
  plait::Tensor<float> x_;  // of numbers alone
  plait::Tensor<float> labels_, mask_;
  plait::ChosenRows<float> chosen_;
  plait::FeatureBatch<float> features_;
};

// What a network reads of a batch: its numbers, or what tables have for its features.
class NetworkInput {
 public:
  // Null where batches are of numbers; the tables must outlive it.
  explicit NetworkInput(const plait::EmbeddingTables<float>* tables) : tables_(tables) {}

  // Valid until the next call.
  plait::View3<const float> operator()(const plait::BatchArgument<float>& x);

 private:
  const plait::EmbeddingTables<float>* tables_;
  plait::Tensor<float> x_;
};

}  // namespace ranker
