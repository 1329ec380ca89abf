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
// r and d alone, not on other tables or on who asks when.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/counter_random.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/view.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/embedding_config.hpp"
#include "plait/sparse/embedding_layout.hpp"
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
  // The same tables with all rows zero, to be filled.
  PLAIT_COLD static EmbeddingTables zeros(EmbeddingConfig config) {
    return EmbeddingTables(std::move(config));
  }
  EmbeddingTables(EmbeddingTables&&) = default;
  EmbeddingTables& operator=(EmbeddingTables&&) = default;
  PLAIT_COLD EmbeddingTables clone() const;

  const EmbeddingLayout& layout() const { return layout_; }
  const EmbeddingConfig& config() const { return layout_.config(); }
  Index num_tables() const { return layout_.num_tables(); }
  // Numbers of a row of x, the network's input.
  Index width() const { return layout_.width(); }

  // [rows, dim] without gaps, the layout of torch.nn.EmbeddingBag.
  std::span<Scalar> values(Index table) { return values_[index(table)].span(); }
  std::span<const Scalar> values(Index table) const { return values_[index(table)].span(); }
  std::span<const Scalar> row(Index table, Index row) const {
    const auto dim = static_cast<std::size_t>(layout_.table(table).dim);
    return values(table).subspan(index(row) * dim, dim);
  }

  // Throws for a batch that does not fit (EmbeddingLayout::check).
  void check(const FeatureBatch<Scalar>& batch, const char* where = "EmbeddingTables") const {
    layout_.check(batch, where);
  }

  // x [B, 1, width] = [dense | features' vectors], of a batch that fits. Allocates nothing.
  void lookup(const FeatureBatch<Scalar>& batch, View3<Scalar> x) const;

 private:
  PLAIT_COLD explicit EmbeddingTables(EmbeddingConfig config) : layout_(std::move(config)) {
    for (const TableConfig& table : this->config().tables)
      values_.emplace_back(index(table.rows), index(table.dim));
  }

  static std::size_t index(Index i) { return static_cast<std::size_t>(i); }

  EmbeddingLayout layout_;
  std::vector<LargeArray<Scalar>> values_;  // [tables]
};

template <class Scalar>
EmbeddingTables<Scalar>::EmbeddingTables(EmbeddingConfig config, std::uint64_t seed,
                                         Executor* executor)
    : EmbeddingTables(std::move(config)) {
  constexpr Index pieces = 64;
  for (Index t = 0; t < num_tables(); ++t) {
    const TableConfig& table = layout_.table(t);
    CounterRandom of_table(seed);
    for (const char c : table.name) of_table = of_table.at(static_cast<unsigned char>(c));
    const double bound =
        table.bound > 0 ? table.bound : 1 / std::sqrt(static_cast<double>(table.rows));
    run_tasks(executor, pieces, [&](Index piece) {
      const auto rows = static_cast<std::int64_t>(table.rows);
      const auto end = static_cast<Index>(rows * (piece + 1) / pieces);
      for (Index r = static_cast<Index>(rows * piece / pieces); r < end; ++r) {
        if (r < table.reserved) continue;
        const CounterRandom of_row = of_table.at(static_cast<std::uint64_t>(r));
        Scalar* row = values(t).data() + index(r) * index(table.dim);
        for (Index d = 0; d < table.dim; ++d)
          row[d] = static_cast<Scalar>(
              bound * (2 * of_row.at(static_cast<std::uint64_t>(d)).uniform() - 1));
      }
    });
  }
}

template <class Scalar>
EmbeddingTables<Scalar> EmbeddingTables<Scalar>::clone() const {
  EmbeddingTables copy(config());
  for (std::size_t t = 0; t < values_.size(); ++t)
    std::ranges::copy(values_[t].span(), copy.values_[t].data());
  return copy;
}

template <class Scalar>
void EmbeddingTables<Scalar>::lookup(const FeatureBatch<Scalar>& batch, View3<Scalar> x) const {
  kernels::lookup(layout_, batch, x,
                  [&](Index table) { return kernels::FullRows<Scalar>{values(table).data()}; });
}

#ifdef PLAIT_COMPILED
extern template class EmbeddingTables<float>;
extern template class EmbeddingTables<double>;
#endif

}  // namespace plait
