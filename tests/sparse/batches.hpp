// Batches of ids that own what they show.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/random.hpp"
#include "plait/core/view.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/embedding_config.hpp"
#include "support/data.hpp"

namespace sparse_test {

using plait::Index;

// The bags of one feature.
struct Bags {
  std::vector<std::uint64_t> ids = {};
  std::vector<std::int64_t> offsets = {};
  std::vector<float> weights = {};

  plait::SparseFeature view() const { return {ids, offsets, weights}; }
};

// An id per row.
inline Bags single_ids(Index rows, Index table_rows, plait::Random& random, bool weighted = false) {
  Bags bags;
  for (Index b = 0; b < rows; ++b) {
    bags.ids.push_back(static_cast<std::uint64_t>(random.below(table_rows)));
    if (weighted) bags.weights.push_back(static_cast<float>(random.normal()));
  }
  return bags;
}

// Bags of 0 to `most` ids; half of all ids are one of three, so that they repeat.
inline Bags random_bags(Index rows, Index most, Index table_rows, bool weighted,
                        plait::Random& random) {
  Bags bags;
  bags.offsets.push_back(0);
  for (Index b = 0; b < rows; ++b) {
    for (Index i = random.below(most + 1); i > 0; --i) {
      const Index id =
          random.below(random.below(2) == 0 ? std::min(Index{3}, table_rows) : table_rows);
      bags.ids.push_back(static_cast<std::uint64_t>(id));
      if (weighted) bags.weights.push_back(static_cast<float>(random.normal()));
    }
    bags.offsets.push_back(static_cast<std::int64_t>(bags.ids.size()));
  }
  return bags;
}

// Rows of several features, and numbers beside them. Moves, and its views stay good.
template <class Scalar>
class Batch {
 public:
  Batch(Index rows, std::vector<Bags> bags, plait::Matrix<Scalar> dense = {})
      : bags_(std::move(bags)), dense_(std::move(dense)), rows_(rows) {
    for (const Bags& of_feature : bags_) features_.push_back(of_feature.view());
  }
  Batch(Batch&&) = default;

  Index rows() const { return rows_; }
  const std::vector<Bags>& bags() const { return bags_; }
  const plait::Matrix<Scalar>& dense() const { return dense_; }
  std::vector<plait::SparseFeature>& features() { return features_; }
  plait::FeatureBatch<Scalar> view() const {
    plait::FeatureBatch<Scalar> batch{plait::SparseBatch(rows_, features_)};
    if (dense_.cols() > 0) batch.dense = dense_;
    return batch;
  }
  operator plait::FeatureBatch<Scalar>() const { return view(); }

 private:
  std::vector<Bags> bags_;
  plait::Matrix<Scalar> dense_;
  std::vector<plait::SparseFeature> features_;
  Index rows_;
};

// Random rows for a description: bags of `most` ids at most, but one id per row in every third
// feature.
template <class Scalar>
Batch<Scalar> random_batch(const plait::EmbeddingConfig& config, Index rows, Index most,
                           std::uint64_t seed) {
  plait::Random random(seed);
  std::vector<Bags> bags;
  for (const plait::FeatureConfig& feature : config.features) {
    Index table_rows = 0;
    for (const plait::TableConfig& table : config.tables)
      if (table.name == (feature.table.empty() ? feature.name : feature.table))
        table_rows = table.rows;
    bags.push_back(bags.size() % 3 == 2
                       ? single_ids(rows, table_rows, random, feature.weighted)
                       : random_bags(rows, most, table_rows, feature.weighted, random));
  }
  return {rows, std::move(bags), data::normal<Scalar>(rows, std::ssize(config.dense), seed + 1)};
}

}  // namespace sparse_test
