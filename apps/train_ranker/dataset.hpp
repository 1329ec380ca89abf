// What the models train on: rows of numbers or of features, one label per task, and the rows that
// train, validate and test.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "plait/core/view.hpp"
#include "plait/features/encoded_rows.hpp"
#include "plait/features/feature_encoder.hpp"
#include "plait/features/raw_rows.hpp"
#include "plait/losses/head.hpp"
#include "plait/sparse/batch.hpp"

namespace ranker {

using plait::Index;

// Numbers as they are, categories as the position of their one: a row of the census file is 484
// inputs wide but holds 38 entries, so rows are kept short and widened batch by batch.
struct Features {
  static constexpr int unseen = -1;  // a category without a position: its inputs are all zero

  plait::Matrix<float> dense;  // [rows, dense inputs], the first inputs
  plait::Matrix<int> hot;      // [rows, categories], positions among the one-hot inputs
  Index one_hot_width = 0;     // the inputs after the dense ones

  Index input_dim() const { return dense.cols() + one_hot_width; }
};

// Rows as an encoder made them: ids of tables, if there are any, and numbers.
class EncodedFeatures {
 public:
  EncodedFeatures(plait::FeatureEncoder encoder, plait::EncodedRows rows, plait::RawRows replayed);
  EncodedFeatures(const EncodedFeatures&) = delete;
  EncodedFeatures& operator=(const EncodedFeatures&) = delete;

  const plait::FeatureEncoder& encoder() const { return encoder_; }
  const plait::EmbeddingConfig& embeddings() const { return encoder_.embeddings(); }
  // All of them.
  const plait::FeatureBatch<float>& rows() const { return views_; }
  // A few test rows as the file has them, which a model file replays whenever it is loaded.
  const plait::RawRows& replayed() const { return replayed_; }
  // Of a row once its ids are looked up.
  Index input_dim() const { return input_dim_; }

 private:
  plait::FeatureEncoder encoder_;
  plait::EncodedRows rows_;
  plait::FeatureBatch<float> views_;
  plait::RawRows replayed_;
  Index input_dim_;
};

struct Dataset {
  std::string description;  // for people: where it comes from
  std::vector<plait::Head> heads;
  Features features;
  std::shared_ptr<const EncodedFeatures> encoded;  // of raw rows, in place of `features`
  plait::Matrix<float> labels;                     // [rows, task]
  plait::Matrix<float> mask;  // [rows, task], 1 where there is a label, else 0; empty: all
  std::vector<Index> train;
  std::vector<Index> validation;
  std::vector<Index> test;
  // Of the rows, and of raw ones' features; 0 of synthetic rows of numbers, which options decide.
  std::uint64_t fingerprint = 0;

  Index input_dim() const { return encoded ? encoded->input_dim() : features.input_dim(); }
  bool has_label(Index row, Index task) const { return mask.size() == 0 || mask(row, task) != 0; }
};

// Writes the inputs of the chosen rows to x [rows, 1, input_dim].
void gather(const Features& features, std::span<const Index> rows, plait::View3<float> x);

// Writes the numbers [rows, task] of the chosen rows to y [rows, 1, task].
void gather(const plait::Matrix<float>& labels, std::span<const Index> rows, plait::View3<float> y);

}  // namespace ranker
