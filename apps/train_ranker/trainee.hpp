// A model and its tables with what trains them.
#pragma once
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "method.hpp"
#include "models.hpp"
#include "penalties.hpp"
#include "plait/core/parallel.hpp"
#include "plait/losses/head.hpp"
#include "plait/model/model.hpp"
#include "plait/sparse/embedding_tables.hpp"
#include "plait/sparse/table_optimizer.hpp"
#include "plait/train/trainer.hpp"
#include "rule.hpp"

namespace ranker {

struct TraineeOptions {
  Index input_dim = 0;
  std::vector<plait::Head> heads{};
  Sizes sizes{};
  plait::Stitch stitch = plait::Stitch::near_identity;
  plait::GateConfig gate{};
  plait::Rule<float> rule = make_rule("adam", 1e-3);
  Balancing balancing{};
  TaskWeights task_weights{};
  std::vector<ChosenPenalty> penalties{};
  std::uint64_t seed = 1;                              // of weights, tables and draws
  plait::Executor* executor = nullptr;                 // none: the calling thread alone
  std::optional<plait::EmbeddingConfig> embeddings{};  // none: rows are numbers alone
  plait::RowRule<float> row_rule = make_row_rule("rowwise_adagrad");

  TrunkOptions trunk() const {
    return {.input_dim = input_dim,
            .num_tasks = std::ssize(heads),
            .sizes = sizes,
            .stitch = stitch,
            .gate = gate};
  }
};

// Stays where it is: the trainer trains the model beside it.
struct Trainee {
  // Results depend on the number of lanes and not on that of threads: the same for any --threads.
  static constexpr Index lanes = 8;

  // Throws UsageError and plait::ConfigError for sizes and task weights that do not fit.
  Trainee(const ModelEntry& entry, const TraineeOptions& options)
      : model(entry.trunk(options.trunk()),
              {.hidden = {options.sizes.hidden(options.sizes.towers)}}, options.seed),
        tables(options.embeddings
                   ? std::optional<plait::EmbeddingTables<float>>(
                         std::in_place, *options.embeddings, options.seed, options.executor)
                   : std::nullopt),
        rows(tables ? std::optional<plait::TableOptimizer<float>>(std::in_place, *tables,
                                                                  options.row_rule)
                    : std::nullopt),
        penalties(make_penalties(options.penalties, model.values().shared_table())),
        trainer(make_trainer(options)),
        method(make_method(options.balancing, trainer, options.task_weights, options.seed)) {
    if (penalties) trainer.set_penalties(&*penalties);
  }
  Trainee(const Trainee&) = delete;
  Trainee& operator=(const Trainee&) = delete;

  plait::EmbeddingTables<float>* tables_or_null() { return tables ? &*tables : nullptr; }

  plait::Model<float> model;
  std::optional<plait::EmbeddingTables<float>> tables;
  std::optional<plait::TableOptimizer<float>> rows;
  std::optional<plait::Penalties<float>> penalties;
  plait::Trainer<float> trainer;
  Method method;

 private:
  plait::Trainer<float> make_trainer(const TraineeOptions& options) {
    const plait::TrainerOptions how{
        .lanes = lanes, .executor = options.executor, .seed = options.seed};
    if (rows) return {model, *rows, options.heads, options.rule, how};
    return {model, options.heads, options.rule, how};
  }
};

}  // namespace ranker
