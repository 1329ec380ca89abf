// A run with embedding tables that can be stopped after any step, for tests of files.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/mmoe.hpp"
#include "plait/embeddings.hpp"
#include "plait/io/checkpoint.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"

namespace table_run {

using plait::Index;

// With `grows` the users' table does, which has fewer rows than there are users.
inline plait::EmbeddingConfig config(Index items = 300, bool grows = false) {
  return {.tables = {{.name = "item", .rows = items, .dim = 5},
                     {.name = "user.id",
                      .rows = grows ? 20 : 40,
                      .dim = 3,
                      .reserved = 1,
                      .growing = grows,
                      .admission = grows ? 2 : 1}},
          .features = {{.name = "item"},
                       {.name = "history", .table = "item", .pooling = plait::Pooling::mean},
                       {.name = "user", .table = "user.id", .weighted = true}},
          .dense = {plait::Side::item, plait::Side::user}};
}

// Rows of features, and what they are views of; the ids of batch n are the same in every run.
template <class S>
struct Rows {
  std::vector<std::uint64_t> items, history, users;
  std::vector<std::int64_t> history_offsets{0}, user_offsets{0};
  std::vector<float> weights;
  std::vector<S> dense;
  std::vector<plait::SparseFeature> features;
  plait::Matrix<S> labels;

  Rows(Index n, Index count, Index item_rows = 300) : labels(count, 2) {
    plait::Random random(static_cast<std::uint64_t>(n) + 1);
    const auto below = [&](Index limit) {
      const auto value = static_cast<Index>(random.uniform() * static_cast<double>(limit));
      return static_cast<std::uint64_t>(value);
    };
    for (Index b = 0; b < count; ++b) {
      items.push_back(below(item_rows));
      for (std::uint64_t i = below(4); i > 0; --i) history.push_back(below(item_rows));
      history_offsets.push_back(std::ssize(history));
      for (std::uint64_t i = below(3); i > 0; --i) {
        users.push_back(below(40));
        weights.push_back(static_cast<float>(random.uniform()));
      }
      user_offsets.push_back(std::ssize(users));
      for (int d = 0; d < 2; ++d) dense.push_back(static_cast<S>(random.symmetric(1)));
      labels.row(b) << static_cast<S>(b % 2), static_cast<S>(b % 3 == 0);
    }
    features = {{items}, {history, history_offsets}, {users, user_offsets, weights}};
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  plait::FeatureBatch<S> batch() const {
    const Index count = std::ssize(items);
    return {plait::SparseBatch(count, features), plait::View3<const S>(dense.data(), count, 1, 2)};
  }
};

template <class S = float>
plait::Model<S> make_model(const plait::EmbeddingTables<S>& tables) {
  return {plait::MMoE{.input_dim = tables.width(), .num_tasks = 2, .num_experts = 2, .expert = {4}},
          {},
          1};
}

struct Run {
  plait::EmbeddingTables<float> tables;
  plait::Model<float> model;
  plait::TableOptimizer<float> rows;
  plait::Trainer<float> trainer;
  plait::Progress<float> progress{.random = plait::Random(3)};

  explicit Run(plait::RowRule<float> rule = plait::RowwiseAdagrad{.learning_rate = 0.1},
               Index items = 300, const std::vector<plait::ParamGroup>& groups = {})
      : tables(config(items, true), 7),
        model(make_model(tables)),
        rows(tables, std::move(rule), groups),
        trainer(model, rows, std::vector<plait::Head>(2), plait::Adam{.learning_rate = 0.05},
                {.optimizer = {.schedule = plait::Schedule::cosine(20), .clip_norm = 1.0}}) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void step() {
    const Rows<float> batch(progress.step++, 6);
    trainer.step(batch.batch(), batch.labels);
  }
  void steps(int count) {
    while (count-- > 0) step();
  }
  std::string save(plait::Checkpoints& checkpoints) { return checkpoints.save(trainer, progress); }
  std::string save_delta(plait::Checkpoints& checkpoints) {
    return checkpoints.save_delta(trainer, progress);
  }
  plait::Resumed resume(plait::Checkpoints& checkpoints) {
    return checkpoints.resume(trainer, progress);
  }
};

// What a table knows of ids, nothing where it does not grow.
template <class S>
std::vector<plait::IdMap::Record> ids(const plait::EmbeddingTables<S>& tables, Index table) {
  std::vector<plait::IdMap::Record> records;
  if (const plait::IdMap* map = tables.ids(table))
    map->for_each([&](const plait::IdMap::Record& record) { records.push_back(record); });
  std::ranges::sort(records);
  return records;
}

template <class S>
bool equal(const plait::EmbeddingTables<S>& a, const plait::EmbeddingTables<S>& b) {
  bool same = a.num_tables() == b.num_tables();
  for (Index t = 0; same && t < a.num_tables(); ++t)
    same = std::ranges::equal(a.values(t), b.values(t)) && ids(a, t) == ids(b, t);
  return same;
}
inline bool equal(const Run& a, const Run& b) {
  bool same = a.progress.step == b.progress.step &&
              a.trainer.optimizer().steps() == b.trainer.optimizer().steps() &&
              std::ranges::equal(a.model.values().flat(), b.model.values().flat());
  for (std::size_t k = 0; k < a.trainer.optimizer().moments().size(); ++k)
    same = same && std::ranges::equal(a.trainer.optimizer().moments()[k].flat(),
                                      b.trainer.optimizer().moments()[k].flat());
  for (Index t = 0; t < a.tables.num_tables(); ++t)
    same = same && std::ranges::equal(a.rows.state(t), b.rows.state(t));
  return same && equal(a.tables, b.tables);
}

}  // namespace table_run
