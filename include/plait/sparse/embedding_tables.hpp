// EmbeddingTables: the rows that ids look up, beside a model and not in it.
//
// A table is touched in a few rows per step and may be larger than everything else together, so it
// is no parameter tensor: it is never copied per lane, per task or per scorer, and optimizers move
// the rows that a batch names (row_rule.hpp).
//
//   plait::EmbeddingTables<float> tables({.tables = {{.name = "item", .rows = 100000, .dim = 16}},
//                                         .features = {{.name = "item"}, ...}}, /*seed=*/7);
//   plait::Model<float> model(plait::MMoE{.input_dim = tables.width(), ...}, {}, 7);
//
// Rows start uniform in ±bound: number d of row r of a table depends on the seed, the table's name,
// r and d alone, not on other tables or on who asks when. In a growing table it is the id instead
// of r, so that an id that comes back starts as it started before; rows that no id has are zero.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/core/error.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/view.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/embedding_config.hpp"
#include "plait/sparse/embedding_layout.hpp"
#include "plait/sparse/id_map.hpp"
#include "plait/sparse/large_array.hpp"
#include "plait/sparse/lookup.hpp"

namespace plait {

// Moves and is not copied; clone() says what it costs. Reading is for any number of threads at the
// same time.
template <class Scalar_>
class EmbeddingTables {
 public:
  using Scalar = Scalar_;

  // Throws ConfigError for a description that does not hold together (EmbeddingLayout).
  PLAIT_COLD EmbeddingTables(EmbeddingConfig config, std::uint64_t seed,
                             Executor* executor = nullptr);
  // The same tables with all rows zero, to be filled. New ids of growing ones start by the seed.
  PLAIT_COLD static EmbeddingTables zeros(EmbeddingConfig config, std::uint64_t seed = 0) {
    return EmbeddingTables(seed, std::move(config));
  }
  // The same without rows, and so without their memory: adopt() gives them to each table.
  PLAIT_COLD static EmbeddingTables without_rows(EmbeddingConfig config, std::uint64_t seed = 0) {
    return EmbeddingTables(seed, std::move(config), false);
  }
  EmbeddingTables(EmbeddingTables&&) = default;
  EmbeddingTables& operator=(EmbeddingTables&&) = default;
  PLAIT_COLD EmbeddingTables clone() const;
  // Takes the rows of tables of the same description, of those that grow the ids, and the seed that
  // new ones start by. Throws ConfigError for others.
  PLAIT_COLD void assign(const EmbeddingTables& other);

  const EmbeddingLayout& layout() const { return layout_; }
  const EmbeddingConfig& config() const { return layout_.config(); }
  Index num_tables() const { return layout_.num_tables(); }
  // Numbers of a row of x, the network's input.
  Index width() const { return layout_.width(); }
  std::uint64_t seed() const { return seed_; }

  // [rows, dim] without gaps, the layout of torch.nn.EmbeddingBag.
  std::span<Scalar> values(Index table) { return values_[index(table)].span(); }
  std::span<const Scalar> values(Index table) const { return values_[index(table)].span(); }
  // Numbers [rows, dim] in place of a table's, those of a mapped file for one. Throws ConfigError
  // for another number of them.
  PLAIT_COLD void adopt(Index table, LargeArray<Scalar> values) {
    const TableConfig& of = layout_.table(table);
    const std::size_t expected = index(of.rows) * index(of.dim);
    require_config(values.size() == expected, "EmbeddingTables", "values of " + in_quotes(of.name),
                   text(values.size(), " numbers"), text(expected));
    values_[index(table)] = std::move(values);
  }
  std::span<const Scalar> row(Index table, Index row) const {
    const auto dim = static_cast<std::size_t>(layout_.table(table).dim);
    return values(table).subspan(index(row) * dim, dim);
  }

  // Which ids of a growing table have which rows; null for a fixed one.
  IdMap* ids(Index table) { return ids_[index(table)] ? &*ids_[index(table)] : nullptr; }
  const IdMap* ids(Index table) const {
    return ids_[index(table)] ? &*ids_[index(table)] : nullptr;
  }
  // Gives a row the numbers that `key` starts with, the row's number or an id.
  void start_row(Index table, Index row, std::uint64_t key);

  // Throws for a batch that does not fit (EmbeddingLayout::check).
  void check(const FeatureBatch<Scalar>& batch, const char* where = "EmbeddingTables") const {
    layout_.check(batch, where);
  }

  // x [B, 1, width] = [dense | features' vectors], of a batch that fits. Allocates nothing.
  void lookup(const FeatureBatch<Scalar>& batch, View3<Scalar> x) const;

 private:
  PLAIT_COLD EmbeddingTables(std::uint64_t seed, EmbeddingConfig config, bool with_rows = true)
      : layout_(std::move(config)), seed_(seed) {
    for (const TableConfig& table : this->config().tables) {
      values_.emplace_back(index(with_rows ? table.rows : 0), index(table.dim));
      ids_.emplace_back();
      if (table.growing) ids_.back().emplace(table.rows, table.admission);
      CounterRandom of_table(seed);
      for (const char c : table.name) of_table = of_table.at(static_cast<unsigned char>(c));
      starts_.push_back(of_table);
    }
  }

  static std::size_t index(Index i) { return static_cast<std::size_t>(i); }

  EmbeddingLayout layout_;
  std::uint64_t seed_;
  std::vector<LargeArray<Scalar>> values_;  // [tables]
  std::vector<std::optional<IdMap>> ids_;   // [tables]
  std::vector<CounterRandom> starts_;       // [tables]
};

template <class Scalar>
EmbeddingTables<Scalar>::EmbeddingTables(EmbeddingConfig config, std::uint64_t seed,
                                         Executor* executor)
    : EmbeddingTables(seed, std::move(config)) {
  constexpr Index pieces = 64;
  for (Index t = 0; t < num_tables(); ++t) {
    const TableConfig& table = layout_.table(t);
    if (table.growing) continue;
    run_tasks(executor, pieces, [&](Index piece) {
      const auto rows = static_cast<std::int64_t>(table.rows);
      const auto end = static_cast<Index>(rows * (piece + 1) / pieces);
      for (Index r = static_cast<Index>(rows * piece / pieces); r < end; ++r)
        if (r >= table.reserved) start_row(t, r, static_cast<std::uint64_t>(r));
    });
  }
}

template <class Scalar>
void EmbeddingTables<Scalar>::start_row(Index table, Index row, std::uint64_t key) {
  const TableConfig& of = layout_.table(table);
  const double bound = of.bound > 0 ? of.bound : 1 / std::sqrt(static_cast<double>(of.rows));
  const CounterRandom of_row = starts_[index(table)].at(key);
  Scalar* const numbers = values(table).data() + index(row) * index(of.dim);
  for (Index d = 0; d < of.dim; ++d)
    numbers[d] =
        static_cast<Scalar>(bound * (2 * of_row.at(static_cast<std::uint64_t>(d)).uniform() - 1));
}

template <class Scalar>
EmbeddingTables<Scalar> EmbeddingTables<Scalar>::clone() const {
  EmbeddingTables copy(seed_, config());
  copy.assign(*this);
  return copy;
}

template <class Scalar>
void EmbeddingTables<Scalar>::assign(const EmbeddingTables& other) {
  require_config(config() == other.config(), "EmbeddingTables", "other",
                 "tables of another description", "the same");
  std::vector<std::optional<IdMap>> ids(ids_.size());
  for (std::size_t t = 0; t < ids.size(); ++t)
    if (other.ids_[t]) ids[t].emplace(other.ids_[t]->clone());
  std::vector<CounterRandom> starts = other.starts_;
  for (std::size_t t = 0; t < values_.size(); ++t)
    std::ranges::copy(other.values_[t].span(), values_[t].data());
  ids_ = std::move(ids);
  starts_ = std::move(starts);
  seed_ = other.seed_;
}

template <class Scalar>
void EmbeddingTables<Scalar>::lookup(const FeatureBatch<Scalar>& batch, View3<Scalar> x) const {
  kernels::lookup(
      layout_, batch, x,
      [&](Index table) { return kernels::FullRows<Scalar>{values(table).data()}; },
      [&](Index table) { return ids(table); });
}

#ifdef PLAIT_COMPILED
extern template class EmbeddingTables<float>;
extern template class EmbeddingTables<double>;
#endif

}  // namespace plait
