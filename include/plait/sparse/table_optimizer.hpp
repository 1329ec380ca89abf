// TableOptimizer: moves the rows of tables that a trainer's batches name, by a row rule.
//
//   plait::TableOptimizer<float> rows(tables, plait::RowwiseAdagrad{.learning_rate = 0.05});
//   plait::Trainer trainer(model, rows, heads, plait::Adam{});
//   trainer.step({ids, numbers}, targets);
//
// A step looks a tile's rows up into the network's input, takes the gradient of that input from the
// network's backward, sorts the batch's ids by row and moves each row that was named, once, by the
// sum of its gradients: nothing is as large as a table. Threads do not change a bit.
//
// A growing table gives and takes rows when all rows have moved (id_map.hpp); a row that is given
// has its id's starting numbers and a new state, one that is taken is zero with a new state. Its
// rows move once for a batch, as its ids may have others afterwards. In a frozen table no id is
// seen.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/glob.hpp"
#include "plait/core/representable.hpp"
#include "plait/core/tensor.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/optim/param_groups.hpp"
#include "plait/sparse/embedding_tables.hpp"
#include "plait/sparse/input_tables.hpp"
#include "plait/sparse/large_array.hpp"
#include "plait/sparse/row_entries.hpp"
#include "plait/sparse/row_marks.hpp"
#include "plait/sparse/row_rule.hpp"

namespace plait {

// Used by one trainer at a time; the tables must outlive it and stay where they are. Allocates for
// a batch that has more rows or ids than any before, and not otherwise.
template <class Scalar_>
class TableOptimizer final : public InputTables<Scalar_> {
 public:
  using Scalar = Scalar_;

  // `groups` are patterns of tables' names, later ones win. Throws ConfigError for hyper-parameters
  // out of range or that Scalar cannot hold, and a pattern that matches no table.
  PLAIT_COLD TableOptimizer(EmbeddingTables<Scalar>& tables,
                            std::type_identity_t<RowRule<Scalar>> rule,
                            std::span<const ParamGroup> groups = {});

  EmbeddingTables<Scalar>& tables() { return *tables_; }
  const EmbeddingTables<Scalar>& tables() const { return *tables_; }
  const RowRule<Scalar>& rule() const { return rule_; }
  // What every table is trained with, before the schedule.
  const std::vector<ParamSettings>& table_settings() const { return settings_; }

  // The state of a table's rows [rows, state_size], for a checkpoint. Who changes it changes the
  // values that belong to it as well.
  Index state_size(Index table) const { return moved_[index(table)].state_size; }
  std::span<Scalar> state(Index table) { return states_[index(table)].span(); }
  std::span<const Scalar> state(Index table) const { return states_[index(table)].span(); }

  Index width() const override { return tables_->width(); }
  void check(const FeatureBatch<Scalar>& batch, const char* where) const override;
  void lookup(const FeatureBatch<Scalar>& batch, View3<Scalar> x) const override {
    tables_->lookup(batch, x);
  }
  View3<Scalar> gradient(Index batch) override;
  double finish_rows(const FeatureBatch<Scalar>& rows, View3<Scalar> gradient) const override;
  void collect(const FeatureBatch<Scalar>& batch, std::span<const Index> lane_ends,
               Executor* executor) override;
  bool has_finite_norm(double input_squared_norm, Executor* executor) override;
  double squared_norm(Executor* executor) override;
  bool move(const TableStep& step, Executor* executor) override;
  PLAIT_COLD void settings(FieldVisitor& visit) const override;
  PLAIT_COLD std::vector<TableNumbers<Scalar>> numbers() override;
  std::string_view rule_name() const override { return rule_.name(); }
  PLAIT_COLD void mark_moved(std::shared_ptr<const void> now) override;
  const std::shared_ptr<const void>& marked_since() const override { return marked_since_; }

 private:
  static constexpr Index num_shards = RowEntries::num_shards;
  // Shards that one task moves.
  static constexpr Index shards_together = 8;

  static std::size_t index(Index i) { return static_cast<std::size_t>(i); }

  kernels::RowGradients<Scalar> gradients(Index table) const {
    return {&entries_[index(table)], dx_.view().data(), tables_->layout().table(table).dim};
  }
  // run(table, shard) for every shard of every table that is not frozen.
  template <class Run>
  void for_each_shard(Executor* executor, const Run& run) {
    constexpr Index pieces = num_shards / shards_together;
    run_tasks(executor, tables_->num_tables() * pieces, [&](Index task) {
      const Index table = task / pieces;
      if (settings_[index(table)].frozen) return;
      for (Index i = 0; i < shards_together; ++i) run(table, task % pieces * shards_together + i);
    });
  }

  // Gives and takes rows of a growing table, by the ids of the batch whose rows moved.
  void grow(Index table);

  EmbeddingTables<Scalar>* tables_;
  RowRule<Scalar> rule_;
  std::vector<ParamSettings> settings_;                     // [tables]
  std::vector<std::vector<RowEntries::Feature>> features_;  // [tables]
  std::vector<LargeArray<Scalar>> states_;                  // [tables]
  std::vector<kernels::MovedRows<Scalar>> moved_;           // [tables]
  std::vector<RowMarks> marks_;  // [tables], empty before the first mark_moved
  std::shared_ptr<const void> marked_since_;
  Tensor<Scalar> dx_;
  std::vector<std::vector<double>> initial_states_;                // [tables], of a row
  std::vector<RowEntries> entries_;                                // [tables], of the last batch
  std::vector<std::vector<std::uint64_t>> seen_;                   // [tables], its ids if it grows
  std::vector<std::array<double, std::size_t{num_shards}>> sums_;  // [tables]
  std::vector<std::uint8_t> finite_;                               // [tables, shards]
};

template <class Scalar>
TableOptimizer<Scalar>::TableOptimizer(EmbeddingTables<Scalar>& tables,
                                       std::type_identity_t<RowRule<Scalar>> rule,
                                       std::span<const ParamGroup> groups)
    : tables_(&tables),
      rule_(std::move(rule)),
      features_(index(tables.num_tables())),
      entries_(index(tables.num_tables())),
      seen_(index(tables.num_tables())),
      sums_(index(tables.num_tables())),
      finite_(index(tables.num_tables() * num_shards)) {
  rule_.validate();
  std::vector<std::string_view> names;
  for (const TableConfig& table : tables.config().tables) names.push_back(table.name);
  settings_ = resolve_groups(names, groups,
                             {.learning_rate = rule_.learning_rate(),
                              .weight_decay = rule_.weight_decay(),
                              .frozen = false},
                             "one that matches a table");
  detail::RepresentableFields<Scalar> representable("TableOptimizer");
  rule_.settings(representable);
  for (const ParamSettings& settings : settings_) {
    require_representable<Scalar>("TableOptimizer", "learning_rate", settings.learning_rate);
    require_representable<Scalar>("TableOptimizer", "weight_decay", settings.weight_decay);
  }
  const EmbeddingLayout& layout = tables.layout();
  for (Index f = 0; f < layout.num_features(); ++f)
    features_[index(layout.table_of(f))].push_back({f, layout.first_column(f)});
  for (Index t = 0; t < tables.num_tables(); ++t) {
    const TableConfig& table = tables.layout().table(t);
    const std::vector<double>& initial =
        initial_states_.emplace_back(rule_.initial_state(table.dim));
    LargeArray<Scalar> state(index(table.rows), initial.size());
    if (std::ranges::any_of(initial, [](double number) { return number != 0; }))
      for (std::size_t i = 0; i < state.size(); ++i)
        state.data()[i] = static_cast<Scalar>(initial[i % initial.size()]);
    moved_.push_back({tables.values(t).data(), state.data(), std::ssize(initial)});
    states_.push_back(std::move(state));
  }
}

template <class Scalar>
void TableOptimizer<Scalar>::check(const FeatureBatch<Scalar>& batch, const char* where) const {
  tables_->check(batch, where);
  const auto places =
      static_cast<std::uint64_t>(batch.batch()) * static_cast<std::uint64_t>(width());
  if (places > RowEntries::largest_places)
    throw ShapeError(where, "batch", text(batch.batch(), " rows of ", width(), " numbers"),
                     "2^32 numbers at most, a smaller batch");
  std::uint64_t ids = 0;  // of weighted features: they are counted in 32 bits
  for (const SparseFeature& feature : batch.sparse.whole())
    if (!feature.weights.empty()) ids += feature.ids.size();
  if (ids > RowEntries::largest_places)
    throw ShapeError(where, "batch", text(ids, " weighted ids"), "2^32 at most, a smaller batch");
}

template <class Scalar>
View3<Scalar> TableOptimizer<Scalar>::gradient(Index batch) {
  dx_.resize(batch, 1, width());
  return dx_;
}

template <class Scalar>
double TableOptimizer<Scalar>::finish_rows(const FeatureBatch<Scalar>& rows,
                                           View3<Scalar> gradient) const {
  const EmbeddingLayout& layout = tables_->layout();
  for (Index f = 0; f < layout.num_features(); ++f) {
    const SparseFeature feature = rows.sparse.feature(f);
    if (layout.feature(f).pooling != Pooling::mean || feature.offsets.empty()) continue;
    const Index dim = layout.table(layout.table_of(f)).dim;
    for (Index b = 0; b < rows.batch(); ++b) {
      const std::int64_t ids = feature.offsets[index(b + 1)] - feature.offsets[index(b)];
      if (ids <= 1) continue;
      const Scalar share = Scalar(1) / static_cast<Scalar>(ids);
      Scalar* of_row = gradient.row(b) + layout.first_column(f);
      for (Index d = 0; d < dim; ++d) of_row[d] *= share;
    }
  }
  return static_cast<double>(
      kernels::squared_norm<Scalar>(gradient.batch() * gradient.dim(), gradient.data()));
}

template <class Scalar>
void TableOptimizer<Scalar>::collect(const FeatureBatch<Scalar>& batch,
                                     std::span<const Index> lane_ends, Executor* executor) {
  run_tasks(executor, tables_->num_tables(), [&](Index t) {
    if (settings_[index(t)].frozen) return;
    const IdMap* const ids = tables_->ids(t);
    entries_[index(t)].collect(batch.sparse, features_[index(t)], tables_->layout().table(t).rows,
                               lane_ends, width(), ids);
    if (ids == nullptr) return;
    std::vector<std::uint64_t>& seen = seen_[index(t)];
    seen.clear();
    if (lane_ends.empty()) return;
    for (const RowEntries::Feature& feature : features_[index(t)]) {
      const SparseFeature bags = batch.sparse.feature(feature.index);
      std::span<const std::uint64_t> named = bags.ids;
      if (!bags.offsets.empty()) {
        const std::int64_t begin = bags.offsets.front();
        named = named.subspan(static_cast<std::size_t>(begin),
                              static_cast<std::size_t>(bags.offsets.back() - begin));
      }
      seen.insert(seen.end(), named.begin(), named.end());
    }
  });
}

template <class Scalar>
void TableOptimizer<Scalar>::grow(Index table) {
  const kernels::MovedRows<Scalar>& moved = moved_[index(table)];
  const auto dim = tables_->layout().table(table).dim;
  const auto mark = [&](Index row) {
    if (moved.marks != nullptr) RowMarks::mark(moved.marks->of_shard(row % num_shards), row);
  };
  tables_->ids(table)->see(
      seen_[index(table)],
      [&](Index row, std::uint64_t id) {
        tables_->start_row(table, row, id);
        mark(row);
      },
      [&](Index row) {
        std::fill_n(moved.values + row * dim, dim, Scalar(0));
        std::ranges::transform(initial_states_[index(table)], moved.state + row * moved.state_size,
                               [](double number) { return static_cast<Scalar>(number); });
        mark(row);
      });
  seen_[index(table)].clear();
  entries_[index(table)].collect({}, {}, tables_->layout().table(table).rows, {}, 1);
}

template <class Scalar>
bool TableOptimizer<Scalar>::has_finite_norm(double input_squared_norm, Executor* executor) {
  constexpr auto most = static_cast<double>((std::numeric_limits<Scalar>::max)());
  if (!(input_squared_norm <= most)) return false;
  // A row's gradient is at most as long as all ids' together. Only where that could be too long,
  // which gradients of any use are far from, the rows are summed to find out.
  double bound = 0;
  for (const RowEntries& entries : entries_)
    bound += std::pow(static_cast<double>(entries.size()) * entries.largest_weight(), 2);
  return bound * input_squared_norm <= most / 2 || squared_norm(executor) <= most;
}

template <class Scalar>
double TableOptimizer<Scalar>::squared_norm(Executor* executor) {
  for_each_shard(executor, [&](Index t, Index shard) {
    sums_[index(t)][index(shard)] = kernels::squared_norm(gradients(t), shard);
  });
  double sum = 0;
  for (Index t = 0; t < tables_->num_tables(); ++t)
    if (!settings_[index(t)].frozen)
      for (const double of_shard : sums_[index(t)]) sum += of_shard;
  return sum;
}

template <class Scalar>
bool TableOptimizer<Scalar>::move(const TableStep& step, Executor* executor) {
  std::ranges::fill(finite_, std::uint8_t{1});
  for_each_shard(executor, [&](Index t, Index shard) {
    const ParamSettings& settings = settings_[index(t)];
    const UpdateStep update{.number = step.number,
                            .learning_rate = settings.learning_rate * step.rate_factor,
                            .weight_decay = settings.weight_decay,
                            .gradient_scale = step.gradient_scale};
    finite_[index(t * num_shards + shard)] =
        rule_.move(update, gradients(t), shard, moved_[index(t)]) ? 1 : 0;
  });
  if (!std::ranges::all_of(finite_, [](std::uint8_t finite) { return finite != 0; })) return false;
  for (Index t = 0; t < tables_->num_tables(); ++t)
    if (!seen_[index(t)].empty()) grow(t);
  return true;
}

template <class Scalar>
std::vector<TableNumbers<Scalar>> TableOptimizer<Scalar>::numbers() {
  std::vector<TableNumbers<Scalar>> result;
  for (Index t = 0; t < tables_->num_tables(); ++t) {
    const TableConfig& table = tables_->config().tables[index(t)];
    result.push_back({.name = table.name,
                      .rows = table.rows,
                      .dim = table.dim,
                      .state_size = state_size(t),
                      .values = tables_->values(t),
                      .state = state(t),
                      .marks = moved_[index(t)].marks,
                      .ids = tables_->ids(t)});
  }
  return result;
}

template <class Scalar>
void TableOptimizer<Scalar>::mark_moved(std::shared_ptr<const void> now) {
  std::vector<RowMarks> marks;
  for (const TableConfig& table : tables_->config().tables) marks.emplace_back(table.rows);
  marks_ = std::move(marks);
  for (std::size_t t = 0; t < marks_.size(); ++t) moved_[t].marks = &marks_[t];
  marked_since_ = std::move(now);
}

template <class Scalar>
void TableOptimizer<Scalar>::settings(FieldVisitor& visit) const {
  std::string name(rule_.name());
  visit("row_rule", name);
  rule_.settings(visit);
  EmbeddingConfig config = tables_->config();
  visit("embeddings", config);
  if (std::ranges::any_of(config.tables, &TableConfig::growing)) {  // new ids are drawn
    std::string seed = text(tables_->seed());
    visit("seed of embeddings", seed);
  }
  for (Index t = 0; t < tables_->num_tables(); ++t) {
    const std::string& table = tables_->layout().table(t).name;
    ParamSettings settings = settings_[index(t)];
    visit(("learning_rate of table " + table).c_str(), settings.learning_rate);
    visit(("weight_decay of table " + table).c_str(), settings.weight_decay);
    visit(("frozen of table " + table).c_str(), settings.frozen);
  }
}

#ifdef PLAIT_COMPILED
extern template class TableOptimizer<float>;
extern template class TableOptimizer<double>;
#endif

}  // namespace plait
