// EmbeddingLayout: a description that holds together, where each feature's numbers lie in the
// network's input, and which batches fit.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/embedding_config.hpp"
#include "plait/sparse/id_map.hpp"

namespace plait {

// What ids beyond a table are: an error, or its row 0, an encoder's rare and unknown. None is
// beyond a growing table, whose row 0 is that of ids without one.
enum class UnknownIds { error, first_row };

// A value.
class EmbeddingLayout {
 public:
  // Numbers alone, without tables, will do. Throws ConfigError for a description of nothing, a name
  // twice, a table that is not there or that no feature looks up, sizes out of range, and weights
  // for a mean, which libraries do not agree on.
  PLAIT_COLD explicit EmbeddingLayout(EmbeddingConfig config) : config_(std::move(config)) {
    const auto require = [](bool condition, const std::string& argument, std::string_view got,
                            std::string_view expected) {
      require_config(condition, "EmbeddingTables", argument, got, expected);
    };
    require(!config_.features.empty() || !config_.dense.empty(), "features",
            "none and no numbers either", "at least one of them");
    std::map<std::string_view, std::size_t> tables;  // by name
    for (const TableConfig& table : config_.tables) {
      const std::string of = text(" of table ", in_quotes(table.name));
      require(!table.name.empty(), "tables", "a table without a name", "a name");
      require(tables.emplace(table.name, tables.size()).second, "tables",
              text(in_quotes(table.name), " twice"), "each name once");
      const auto rows = static_cast<std::uint64_t>(table.rows);
      require(table.rows >= (table.growing ? 2 : 1) &&
                  rows <= (table.growing ? IdMap::most_rows : std::uint64_t{1} << 32),
              "rows" + of, text(table.rows), table.growing ? "2 to 2^30" : "1 to 2^32");
      require(table.dim >= 1 && table.dim <= largest_embedding_dim, "dim" + of, text(table.dim),
              text("1 to ", largest_embedding_dim));
      require(std::isfinite(table.bound) && table.bound >= 0, "bound" + of, text(table.bound),
              "a finite number of at least 0");
      require(table.reserved >= 0 && table.reserved <= table.rows, "reserved" + of,
              text(table.reserved), "0 to its rows");
      require(!table.growing || table.reserved == 1, "reserved" + of, text(table.reserved),
              "1: row 0 of a growing table is that of ids without a row");
      require(table.admission >= 1 && static_cast<std::uint64_t>(table.admission) >> 32 == 0,
              "admission" + of, text(table.admission), "1 to 2^32 - 1");
      require(table.growing || table.admission == 1, "admission" + of, text(table.admission),
              "1: the table does not grow");
    }
    std::set<std::string_view> names;
    width_ = num_dense();
    std::vector<bool> looked_up(config_.tables.size(), false);
    for (FeatureConfig& feature : config_.features) {
      require(!feature.name.empty(), "features", "a feature without a name", "a name");
      require(names.insert(feature.name).second, "features",
              text(in_quotes(feature.name), " twice"), "each name once");
      require(!feature.weighted || feature.pooling == Pooling::sum,
              text("weighted of feature ", in_quotes(feature.name)), "weights of a mean",
              "weights of a sum");
      const std::string& name = feature.table.empty() ? feature.name : feature.table;
      const auto found = tables.find(name);
      require(found != tables.end(), text("table of feature ", in_quotes(feature.name)),
              in_quotes(name), "the name of a table");
      const std::size_t t = found->second;
      looked_up[t] = true;
      columns_.push_back({static_cast<Index>(t), width_});
      width_ += config_.tables[t].dim;
    }
    for (std::size_t t = 0; t < looked_up.size(); ++t)
      require(looked_up[t], "tables",
              text(in_quotes(config_.tables[t].name), ", which no one reads"),
              "a feature for every table");
  }

  const EmbeddingConfig& config() const { return config_; }
  Index num_tables() const { return std::ssize(config_.tables); }
  Index num_features() const { return std::ssize(config_.features); }
  Index num_dense() const { return std::ssize(config_.dense); }
  const TableConfig& table(Index t) const { return config_.tables[index(t)]; }
  const FeatureConfig& feature(Index f) const { return config_.features[index(f)]; }
  // The table that a feature looks up, the first of its columns in x, and the columns of x.
  Index table_of(Index feature) const { return columns_[index(feature)].table; }
  Index first_column(Index feature) const { return columns_[index(feature)].first; }
  Index width() const { return width_; }
  // The user's columns of x: ScorerOptions::shared_inputs.
  PLAIT_COLD std::vector<Index> shared_columns() const {
    std::vector<Index> shared;
    for (Index c = 0; c < num_dense(); ++c)
      if (config_.dense[index(c)] == Side::user) shared.push_back(c);
    for (Index f = 0; f < num_features(); ++f)
      if (feature(f).side == Side::user)
        for (Index d = 0; d < table(table_of(f)).dim; ++d) shared.push_back(first_column(f) + d);
    return shared;
  }

  // The layout of one side's numbers and features alone, of the same tables.
  PLAIT_COLD EmbeddingLayout part(Side side) const {
    EmbeddingLayout part = *this;
    std::erase_if(part.config_.dense, [&](Side of) { return of != side; });
    std::erase_if(part.config_.features,
                  [&](const FeatureConfig& feature) { return feature.side != side; });
    part.columns_.clear();
    part.width_ = part.num_dense();
    for (Index f = 0; f < num_features(); ++f) {
      if (feature(f).side != side) continue;
      part.columns_.push_back({table_of(f), part.width_});
      part.width_ += table(table_of(f)).dim;
    }
    return part;
  }

  // Throws for a batch that does not fit, and names feature, row and position: ShapeError for
  // another number of features or rows, numbers where there are none or none where there are some,
  // and weights for a feature that has none; ValueError for offsets that do not begin at 0, end at
  // the ids or do not rise, an id beyond its table
  // unless those are its first row, and a weight that is NaN or infinite. `where`
  // is who asks.
  template <class Scalar>
  void check(const FeatureBatch<Scalar>& batch, const char* where = "EmbeddingTables",
             UnknownIds unknown = UnknownIds::error) const;

 private:
  struct Columns {
    Index table;
    Index first;
  };

  static std::size_t index(Index i) { return static_cast<std::size_t>(i); }

  void check_feature(Index f, const SparseBatch& batch, const char* where,
                     UnknownIds unknown) const;

  EmbeddingConfig config_;
  std::vector<Columns> columns_;  // [features]
  Index width_ = 0;
};

template <class Scalar>
void EmbeddingLayout::check(const FeatureBatch<Scalar>& batch, const char* where,
                            UnknownIds unknown) const {
  const SparseBatch& sparse = batch.sparse;
  if (sparse.num_features() != num_features())
    throw ShapeError(where, "features", text(sparse.num_features()), text(num_features()));
  if (num_dense() > 0 || batch.dense) {
    const View3<const Scalar>& dense = batch.dense;
    if (dense.batch() != sparse.batch() || !(dense.shape() == Shape{1, num_dense()}))
      throw ShapeError(where, "dense",
                       text("[", dense.batch(), ", ", dense.slots(), ", ", dense.dim(), "]"),
                       text("[", sparse.batch(), ", 1, ", num_dense(), "]"));
  }
  for (Index f = 0; f < num_features(); ++f) check_feature(f, sparse, where, unknown);
}

inline void EmbeddingLayout::check_feature(Index f, const SparseBatch& batch, const char* where,
                                           UnknownIds unknown) const {
  const FeatureConfig& config = feature(f);
  const SparseFeature& whole = batch.whole()[index(f)];
  const auto named = [&](const char* what) {
    return text(what, " of feature ", in_quotes(config.name));
  };
  const Index first_row = batch.first_row();
  const Index end_row = first_row + batch.batch();
  const Index num_ids = std::ssize(whole.ids);
  const std::span<const std::int64_t> offsets = whole.offsets;
  const Index numbers = offsets.empty() ? num_ids : std::ssize(offsets);
  const Index expected = batch.whole_batch() + (offsets.empty() ? 0 : 1);
  if (numbers != expected)
    throw ShapeError(where, named(offsets.empty() ? "ids" : "offsets"), text(numbers),
                     text(expected));
  if (!whole.weights.empty()) {
    if (!config.weighted)
      throw ShapeError(where, named("weights"), "weights", "none, as it is not weighted");
    if (std::ssize(whole.weights) != num_ids)
      throw ShapeError(where, named("weights"), text(whole.weights.size()), text(num_ids));
  }
  Index first = first_row;
  Index end = end_row;
  if (!offsets.empty()) {
    if (offsets.front() != 0)
      throw ValueError(where, named("offsets"), text(offsets.front(), " at row 0"), "0");
    if (offsets.back() != static_cast<std::int64_t>(num_ids))
      throw ValueError(where, named("offsets"), text(offsets.back(), " at the end"),
                       text(num_ids, ", the ids"));
    for (Index b = first_row; b < end_row; ++b) {
      const std::int64_t begin_of = offsets[index(b)];
      const std::int64_t end_of = offsets[index(b + 1)];
      if (begin_of < 0 || end_of < begin_of || end_of > static_cast<std::int64_t>(num_ids))
        throw ValueError(where, named("offsets"), text(end_of, " after row ", b),
                         text(begin_of, " to ", num_ids));
    }
    first = static_cast<Index>(offsets[index(first_row)]);
    end = static_cast<Index>(offsets[index(end_row)]);
  }
  const auto at = [&](Index i) {  // an id's place, for the text of an error
    Index b = i;
    if (!offsets.empty()) {
      b = first_row;
      while (static_cast<Index>(offsets[index(b + 1)]) <= i) ++b;
    }
    return text(" in row ", b, ", position ", i);
  };
  const auto rows = static_cast<std::uint64_t>(table(table_of(f)).rows);
  bool beyond = false;
  if (unknown == UnknownIds::error && !table(table_of(f)).growing)
    for (const std::uint64_t id : whole.ids.subspan(index(first), index(end - first)))
      beyond |= id >= rows;
  for (Index i = first; beyond && i < end; ++i)
    if (whole.ids[index(i)] >= rows)
      throw ValueError(where, named("ids"), text(whole.ids[index(i)], at(i)), text("below ", rows));
  if (whole.weights.empty() ||
      kernels::all_finite<float>(whole.weights.subspan(index(first), index(end - first))))
    return;
  for (Index i = first; i < end; ++i)
    if (!std::isfinite(whole.weights[index(i)]))
      throw ValueError(where, named("weights"), text(whole.weights[index(i)], at(i)),
                       "a finite number");
}

}  // namespace plait
