// train_ranker: trains multi-task models on one data set and compares them. See --help.
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>

#include "census.hpp"
#include "compare.hpp"
#include "embedding_report.hpp"
#include "errors.hpp"
#include "format.hpp"
#include "interrupt.hpp"
#include "options.hpp"
#include "page.hpp"
#include "plait/core/error.hpp"
#include "plait/core/instruction_set.hpp"
#include "plait/io/atomic_file.hpp"
#include "precision_report.hpp"
#include "raw_rows.hpp"
#include "report.hpp"
#include "stream_dataset.hpp"
#include "terminal.hpp"
#include "text_file.hpp"
#include "trainee.hpp"

namespace ranker {
namespace {

// Of files alone.
RawRows raw_rows(const Options& options) {
  const RawRows rows{.path = options.data,
                     .kind = kind_of(options.data),
                     .tasks = options.tasks,
                     .split_column = options.split_column};
  if ((rows.kind == FileKind::census) != rows.tasks.empty())
    throw UsageError(rows.tasks.empty()
                         ? "--tasks: expected the columns of labels of " + rows.path +
                               ", which is no Census-Income file"
                         : "--tasks: got them with a Census-Income file, which has its own");
  return rows;
}

Dataset load(const Options& options) {
  if (options.is_stream()) return stream_dataset(options.stream);
  if (options.is_synthetic()) return synthetic_dataset(options.synthetic);
  const RawRows rows = raw_rows(options);
  if (rows.kind == FileKind::census)
    return census_dataset(read_census(*open_text(rows.path), rows.path), rows.path);
  if (!options.features.empty()) return raw_dataset(rows, read_features(options.features));
  const plait::EncoderConfig features = infer_features(rows);
  std::cout << wrapped(
      "Features, inferred (--describe writes them, --features takes them): " + summary(features),
      stdout_terminal().width);
  return raw_dataset(rows, features);
}

// ", 8,032 rows in 5 tables"; empty without tables.
std::string tables_text(const Dataset& data) {
  if (!data.encoded || data.encoded->embeddings().tables.empty()) return "";
  Index rows = 0;
  const auto& tables = data.encoded->embeddings().tables;
  for (const plait::TableConfig& table : tables) rows += table.rows;
  return ", " + grouped(rows) + " rows in " + std::to_string(tables.size()) +
         (tables.size() == 1 ? " table" : " tables");
}

void describe(const Dataset& data) {
  std::cout << "Instruction set: " << plait::name(plait::instruction_set()) << '\n';
  const auto size = [](const auto& list) { return grouped(static_cast<Index>(list.size())); };
  std::cout << wrapped(data.description + ": " + size(data.train) + " training, " +
                           size(data.validation) + " validation and " + size(data.test) +
                           " test rows, " + std::to_string(data.input_dim()) + " inputs" +
                           tables_text(data),
                       stdout_terminal().width)
            << '\n';
}

std::optional<plait::EmbeddingConfig> embeddings_of(const Dataset& data) {
  if (!data.encoded) return std::nullopt;
  return data.encoded->embeddings();
}

// Opened for appending, which leaves an older file as it is until the new one is complete.
void require_writable(const std::string& option, const std::string& path) {
  if (!path.empty() && !std::ofstream(path, std::ios::app))
    throw UsageError(option + ": cannot write " + path);
}

void print(const Dataset& data, const Comparison& comparison) {
  const Terminal terminal = stdout_terminal();
  const std::string single(baseline);
  std::cout << '\n'
            << to_text(result_table(data.heads, comparison.results, single, terminal.plus_minus),
                       terminal.width);
  std::cout << '\n'
            << wrapped(
                   "Test rows, weights of the best epoch. gain %: mean over tasks of the "
                   "relative gain over " +
                       single + ", in AUC (binary) or MSE (regression); positive is better.",
                   terminal.width);
  std::cout << seesaw_text(data.heads, comparison.results, single, terminal.width);
  std::cout << precision_text(data.heads, comparison.results, terminal.width);
  for (const std::string& failure : comparison.failures)
    std::cout << '\n' << wrapped("Failed: " + failure, terminal.width);
}

void explain_interruption(const Options& options) {
  std::cout << "\nInterrupted: the table holds the runs that were finished.\n";
  if (!options.checkpoint_dir.empty())
    std::cout << plait::shown(options.checkpoint_dir)
              << " holds a checkpoint:\nthe same options and --resume go on from it.\n";
}

// The table and the page; that one cannot be written does not keep the other from being.
void write_files(const Options& options, const Dataset& data, const Comparison& comparison) {
  std::exception_ptr error;
  const auto write = [&](const char* option, const std::string& path, const auto& text) {
    if (path.empty()) return;
    try {
      std::ofstream file(path, std::ios::binary);
      file << text();
      if (!file.flush()) throw UsageError(std::string(option) + ": cannot write " + path);
    } catch (const UsageError&) {
      if (!error) error = std::current_exception();
    }
  };
  write("--csv", options.csv,
        [&] { return to_csv(result_csv(data.heads, comparison.results, std::string(baseline))); });
  write("--report", options.report, [&] {
    return to_html({.description = data.description,
                    .settings = options.run + " --epochs=" + std::to_string(options.epochs),
                    .heads = data.heads,
                    .results = comparison.results,
                    .baseline = std::string(baseline),
                    .failures = comparison.failures,
                    .interrupted = comparison.interrupted,
                    .features = data.encoded ? feature_table(data) : Table(),
                    .tables = data.encoded ? table_table(data, comparison.results) : Table()});
  });
  if (error) std::rethrow_exception(error);
}

void write_inferred(const Options& options) {
  std::ofstream file(options.describe, std::ios::binary);
  file << to_json(infer_features(raw_rows(options)));
  if (!file.flush()) throw UsageError("--describe: cannot write " + options.describe);
}

int run(int argc, const char* const* argv) {
  const auto options = parse_options(argc, argv, std::cout);
  if (!options) return 0;
  plait::limit_instruction_set(options->instruction_set);
  require_writable("--csv", options->csv);
  require_writable("--report", options->report);
  if (!options->describe.empty()) {
    require_writable("--describe", options->describe);
    write_inferred(*options);
    return 0;
  }
  if (!options->save.empty()) plait::AtomicFile writable(options->save);  // or throws
  std::optional<plait::Checkpoints> checkpoints;
  if (!options->checkpoint_dir.empty()) checkpoints.emplace(options->checkpoint_dir);
  const Dataset data = load(*options);
  std::optional<plait::ThreadPool> pool;
  if (options->threads > 1) pool.emplace(options->threads);
  const TraineeOptions trainee_options{.input_dim = data.input_dim(),
                                       .heads = data.heads,
                                       .sizes = options->sizes,
                                       .stitch = options->stitch,
                                       .gate = options->gate,
                                       .rule = options->rule,
                                       .balancing = {},
                                       .task_weights = options->task_weights,
                                       .penalties = options->penalties,
                                       .executor = pool ? &*pool : nullptr,
                                       .embeddings = embeddings_of(data),
                                       .row_rule = options->row_rule};
  require_trainable(*options, trainee_options);

  Interrupt::watch();
  describe(data);
  const Comparison comparison =
      compare(*options, data, trainee_options, checkpoints ? &*checkpoints : nullptr);
  print(data, comparison);
  if (comparison.interrupted) explain_interruption(*options);
  std::cout << std::flush;
  write_files(*options, data, comparison);
  if (comparison.interrupted) return Interrupt::exit_code();
  return comparison.failures.empty() ? 0 : 1;
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
