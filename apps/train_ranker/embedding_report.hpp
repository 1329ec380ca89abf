// What features and tables are like: what was fitted, and what training made of it.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "dataset.hpp"
#include "table.hpp"

namespace plait {
template <class Scalar>
class EmbeddingTables;
}

namespace ranker {

struct Result;  // report.hpp

// Of the rows of one table that a batch of training named.
struct RowNorms {
  Index touched = 0;
  double mean = 0;  // of their Euclidean norms
  double largest = 0;
};

// [tables], of the rows that `rows` of the data name.
std::vector<RowNorms> row_norms(const plait::EmbeddingTables<float>& tables,
                                const EncodedFeatures& data, std::span<const Index> rows);

// A row per feature of ids: its kind and table; of the rows that train its distinct values, what is
// missing, bags that are empty, and values that share a row with another; unseen is the share of
// the ids of test rows whose row no training row names, or that have none of their own.
Table feature_table(const Dataset& data);

// A row per table: rows, bytes, and of the models with norms those of the rows that were touched.
Table table_table(const Dataset& data, std::span<const Result> results);

}  // namespace ranker
