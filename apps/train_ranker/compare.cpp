#include "compare.hpp"

#include <algorithm>
#include <iostream>
#include <new>
#include <optional>
#include <span>
#include <utility>

#include "batch.hpp"
#include "console.hpp"
#include "errors.hpp"
#include "interrupt.hpp"
#include "plait/core/error.hpp"
#include "plait/io/encoded_model_file.hpp"
#include "plait/io/error.hpp"
#include "plait/io/model_file.hpp"
#include "precision_cost.hpp"
#include "terminal.hpp"
#include "train.hpp"

namespace ranker {
namespace {

// With a few test rows that are replayed whenever the file is loaded.
void save(const Trainee& trainee, const Dataset& data, const std::string& path) {
  const plait::SaveOptions options{.heads = data.heads};
  if (data.encoded)
    return plait::save(trainee.model, *trainee.tables, data.encoded->encoder(), path, options,
                       data.encoded->replayed());
  const auto rows = std::span(data.test).first(std::min<std::size_t>(4, data.test.size()));
  Batch batch(data);
  batch.gather(rows);
  plait::save(trainee.model, path, options, batch.x());
}

// A row of the table: a model and how it is trained.
struct Row {
  const ModelEntry* model;
  Balancing balancing;

  std::string name() const {
    return std::string(model->name) + (balancing.is_plain() ? "" : " " + balancing.name());
  }
};

// The baseline shares nothing that would have to be balanced: it is trained once, plainly.
std::vector<Row> rows_of(const Options& options) {
  std::vector<Row> rows;
  for (const ModelEntry* model : options.models) {
    if (model->name == baseline) {
      rows.push_back({model, {}});
      continue;
    }
    for (const Balancing& balancing : options.balancing) rows.push_back({model, balancing});
  }
  return rows;
}

// What train() and save() need of the comparison.
class Comparer {
 public:
  Comparer(const Options& options, const Dataset& data, plait::Checkpoints* checkpoints)
      : options_(options),
        data_(data),
        checkpointing_{.checkpoints = checkpoints,
                       .every = options.checkpoint_every,
                       .resume = options.resume,
                       .run = options.run,
                       .new_learning_rate = options.new_learning_rate},
        terminal_(stderr_terminal()),
        progress_(std::cerr, terminal_.interactive, terminal_.width) {}

  // `label` begins every line about it. Adds the run to the result; false when Ctrl-C ended it.
  // Throws RunError.
  bool run(const Row& row, const TraineeOptions& trainee_options, const std::string& label,
           Result& result) {
    Trainee trainee(*row.model, trainee_options);
    result.parameters = trainee.model.table().num_parameters();
    Console console(std::cout, progress_, data_, label, options_.epochs);
    const auto run = train(trainee.trainer, trainee.method, data_,
                           {.epochs = options_.epochs,
                            .batch = options_.batch,
                            .seed = trainee_options.seed,
                            .early_stop = options_.early_stop},
                           console, checkpointing_, trainee.tables_or_null());
    if (run) {
      if (!options_.report.empty() && result.runs.empty()) {
        if (trainee.tables) result.tables = row_norms(*trainee.tables, *data_.encoded, data_.train);
        result.experts =
            expert_maps(watch_experts(trainee.model, data_, data_.test, trainee.tables_or_null()),
                        row.model->owners, options_.sizes.shared_experts, data_.heads,
                        trainee.model.trunk().drawn_routes(trainee.model.values()));
      }
      result.runs.push_back(*run);
      if (options_.precision != plait::Precision::full) measure_precision(trainee, result);
    }
    if (options_.save.empty()) return run.has_value();
    try {
      save(trainee, data_, options_.save);
    } catch (const plait::Error& error) {
      throw RunError(std::string("--save: ") + error.what());
    }
    if (!run) std::cout << plait::shown(options_.save) << " holds the model so far" << std::endl;
    return run.has_value();
  }

  // Of the last run; of the first that can be measured also weight by weight. Throws RunError.
  void measure_precision(Trainee& trainee, Result& result) {
    try {
      const PrecisionTrial trial(trainee.model, data_, data_.test, trainee.tables_or_null());
      if (!result.keep) {
        result.weights = weight_costs(trial);
        result.keep = keep_within(trial, result.weights, options_.precision_bound);
      }
      result.runs.back().precision = trial.costs();
    } catch (const plait::ValueError& error) {
      throw RunError(std::string("--precision: ") + error.what());
    }
  }

  // On stderr, as other errors.
  std::string failed(const std::string& model, std::uint64_t seed, const std::string& reason) {
    progress_.clear();
    std::string failure = model + ", seed " + std::to_string(seed) + ", " + plait::shown(reason);
    std::cerr << "train_ranker: " << failure << std::endl;
    return failure;
  }

 private:
  const Options& options_;
  const Dataset& data_;
  Checkpointing checkpointing_;
  Terminal terminal_;
  Progress progress_;
};

}  // namespace

void require_trainable(const Options& options, TraineeOptions trainee_options) {
  for (const Row& row : rows_of(options)) {
    trainee_options.balancing = row.balancing;
    Trainee(*row.model, trainee_options);
  }
}

Comparison compare(const Options& options, const Dataset& data, TraineeOptions trainee_options,
                   plait::Checkpoints* checkpoints) {
  const auto rows = rows_of(options);
  std::size_t widest = 0;
  for (const Row& row : rows) widest = std::max(widest, row.name().size());

  Comparer comparer(options, data, checkpoints);
  Comparison comparison;
  for (const Row& row : rows) {
    Result result;
    result.model = row.name();
    trainee_options.balancing = row.balancing;
    for (const std::uint64_t seed : options.seeds) {
      if (comparison.interrupted || Interrupt::requested()) {
        comparison.interrupted = true;
        break;
      }
      trainee_options.seed = seed;
      std::string label = result.model + std::string(widest + 2 - result.model.size(), ' ');
      if (options.seeds.size() > 1) label += "seed " + std::to_string(seed) + "  ";
      try {
        comparison.interrupted = !comparer.run(row, trainee_options, label, result);
      } catch (const RunError& error) {
        comparison.failures.push_back(comparer.failed(result.model, seed, error.what()));
      } catch (const std::bad_alloc&) {
        comparison.failures.push_back(comparer.failed(result.model, seed, "out of memory"));
      }
    }
    if (!result.runs.empty()) comparison.results.push_back(std::move(result));
  }
  return comparison;
}

}  // namespace ranker
