// train_ranker: trains multi-task models on one data set and compares them. See --help.
#include <algorithm>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <span>

#include "census.hpp"
#include "console.hpp"
#include "errors.hpp"
#include "format.hpp"
#include "interrupt.hpp"
#include "options.hpp"
#include "page.hpp"
#include "plait/core/error.hpp"
#include "plait/core/tensor.hpp"
#include "plait/io/atomic_file.hpp"
#include "plait/io/model_file.hpp"
#include "report.hpp"
#include "terminal.hpp"
#include "text_file.hpp"
#include "train.hpp"
#include "trainee.hpp"

namespace ranker {
namespace {

Dataset load(const Options& options) {
  if (options.is_synthetic()) return synthetic_dataset(options.synthetic);
  return census_dataset(read_census(*open_text(options.data), options.data), options.data);
}

void describe(const Dataset& data) {
  const auto size = [](const auto& list) { return grouped(static_cast<Index>(list.size())); };
  std::cout << wrapped(data.description + ": " + size(data.train) + " training, " +
                           size(data.validation) + " validation and " + size(data.test) +
                           " test rows, " + std::to_string(data.features.input_dim()) + " inputs",
                       stdout_terminal().width)
            << '\n';
}

// With a few test rows that are replayed whenever the file is loaded.
void save(const plait::Model<float>& model, const Dataset& data, const std::string& path) {
  const auto rows = std::span(data.test).first(std::min<std::size_t>(4, data.test.size()));
  plait::Tensor<float> x(static_cast<Index>(rows.size()), 1, data.features.input_dim());
  gather(data.features, rows, x);
  plait::save(model, path, {.heads = data.heads}, x.view());
}

// Opened for appending, which leaves an older file as it is until the new one is complete.
void require_writable(const std::string& option, const std::string& path) {
  if (!path.empty() && !std::ofstream(path, std::ios::app))
    throw UsageError(option + ": cannot write " + path);
}

void write(const std::string& option, const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw UsageError(option + ": cannot write " + path);
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

// The results so far when Ctrl-C ends the training.
std::vector<Result> train_all(const Options& options, const Dataset& data,
                              TraineeOptions trainee_options, plait::Checkpoints* checkpoints) {
  const auto rows = rows_of(options);
  std::size_t widest = 0;
  for (const Row& row : rows) widest = std::max(widest, row.name().size());
  const Terminal terminal = stderr_terminal();
  Progress progress(std::cerr, terminal.interactive, terminal.width);

  std::vector<Result> results;
  for (const Row& row : rows) {
    Result result;
    result.model = row.name();
    trainee_options.balancing = row.balancing;
    for (const std::uint64_t seed : options.seeds) {
      trainee_options.seed = seed;
      Trainee trainee(*row.model, trainee_options);
      result.parameters = trainee.model.table().num_parameters();
      std::string label = result.model + std::string(widest + 2 - result.model.size(), ' ');
      if (options.seeds.size() > 1) label += "seed " + std::to_string(seed) + "  ";
      Console console(std::cout, progress, data, label, options.epochs);
      const auto run = train(trainee.trainer, trainee.method, data,
                             {.epochs = options.epochs,
                              .batch = options.batch,
                              .seed = seed,
                              .early_stop = options.early_stop},
                             console,
                             {.checkpoints = checkpoints,
                              .every = options.checkpoint_every,
                              .resume = options.resume,
                              .run = options.run,
                              .new_learning_rate = options.new_learning_rate});
      if (!run) break;
      if (!options.save.empty()) save(trainee.model, data, options.save);
      if (!options.report.empty() && result.runs.empty())
        result.experts = expert_maps(watch_experts(trainee.model, data.features, data.test),
                                     row.model->owners, options.sizes.shared_experts, data.heads);
      result.runs.push_back(*run);
    }
    if (!result.runs.empty()) results.push_back(std::move(result));
    if (Interrupt::requested()) break;
  }
  return results;
}

void print(const Dataset& data, const std::vector<Result>& results) {
  const Terminal terminal = stdout_terminal();
  const std::string single(baseline);
  std::cout << '\n'
            << to_text(result_table(data.heads, results, single, terminal.plus_minus),
                       terminal.width);
  std::cout << '\n'
            << wrapped(
                   "Test rows, weights of the best epoch. gain %: mean over tasks of the "
                   "relative gain over " +
                       single + ", in AUC (binary) or MSE (regression); positive is better.",
                   terminal.width);
  std::cout << seesaw_text(data.heads, results, single, terminal.width);
}

int run(int argc, const char* const* argv) {
  const auto options = parse_options(argc, argv, std::cout);
  if (!options) return 0;
  require_writable("--csv", options->csv);
  require_writable("--report", options->report);
  if (!options->save.empty()) plait::AtomicFile writable(options->save);  // or throws
  std::optional<plait::Checkpoints> checkpoints;
  if (!options->checkpoint_dir.empty()) checkpoints.emplace(options->checkpoint_dir);
  const Dataset data = load(*options);
  std::optional<plait::ThreadPool> pool;
  if (options->threads > 1) pool.emplace(options->threads);
  TraineeOptions trainee_options{.input_dim = data.features.input_dim(),
                                 .heads = data.heads,
                                 .sizes = options->sizes,
                                 .stitch = options->stitch,
                                 .rule = options->rule,
                                 .balancing = {},
                                 .task_weights = options->task_weights,
                                 .executor = pool ? &*pool : nullptr};
  // Sizes that do not fit the last model are reported now, not after the others have trained.
  for (const Row& row : rows_of(*options)) {
    trainee_options.balancing = row.balancing;
    Trainee(*row.model, trainee_options);
  }

  Interrupt::watch();
  describe(data);
  const auto results =
      train_all(*options, data, trainee_options, checkpoints ? &*checkpoints : nullptr);

  print(data, results);
  if (!options->csv.empty())
    write("--csv", options->csv, to_csv(result_csv(data.heads, results, std::string(baseline))));
  if (!options->report.empty())
    write("--report", options->report,
          to_html({.description = data.description,
                   .settings = options->run + " --epochs=" + std::to_string(options->epochs),
                   .heads = data.heads,
                   .results = results,
                   .baseline = std::string(baseline),
                   .interrupted = Interrupt::requested()}));
  if (!Interrupt::requested()) return 0;
  std::cout << "Interrupted: the table holds the runs that were finished.\n";
  return 130;
}

}  // namespace
}  // namespace ranker

int main(int argc, char** argv) {
  try {
    return ranker::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "train_ranker: " << plait::shown(error.what()) << '\n';
    return 2;
  }
}
