#include "compare.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <span>
#include <string_view>

#include "train.hpp"

namespace from_ids {
namespace {

constexpr int skipped = 77;

struct Options {
  std::string data = {};
  std::vector<std::string> models = {};
  std::vector<std::uint64_t> seeds{1, 2, 3, 4, 5};
  std::string row_rule = {};
  double row_rate = 0;   // 0: the rule's own
  Index train_rows = 0;  // 0: all
};

// The rules of the tables and the rates that are theirs here.
std::map<std::string, double> row_rules() {
  return {{"adagrad", 0.05}, {"rowwise-adagrad", 0.05}, {"lazy-adam", 1e-3}};
}
plait::RowRule<float> row_rule(const std::string& name, double rate) {
  if (rate == 0) rate = row_rules().at(name);
  if (name == "rowwise-adagrad") return plait::RowwiseAdagrad{.learning_rate = rate};
  if (name == "lazy-adam") return plait::LazyAdam{.learning_rate = rate};
  return plait::Adagrad{.learning_rate = rate};
}

void print_head(const Dataset& data, const Run& run) {
  std::string rule = "| --- |";
  std::printf("| model |");
  for (std::size_t t = 0; t < data.heads.size(); ++t, rule += " --- |")
    std::printf(" %s %s |", run.test[t].task.c_str(), run.test[t].name.c_str());
  std::printf(" s/epoch |\n%s --- |\n", rule.c_str());
}

// Mean and sample standard deviation of every task's metric.
void print_model(std::string_view name, std::span<const Run> runs) {
  const auto count = static_cast<double>(runs.size());
  std::printf("| %.*s |", static_cast<int>(name.size()), name.data());
  double seconds = 0;
  for (const Run& run : runs) seconds += run.seconds_per_epoch / count;
  for (std::size_t t = 0; t < runs.front().test.size(); ++t) {
    double mean = 0, squares = 0;
    for (const Run& run : runs) mean += run.test[t].value / count;
    for (const Run& run : runs) squares += std::pow(run.test[t].value - mean, 2);
    std::printf(" %.4f ± %.4f |", mean, std::sqrt(squares / std::max(1.0, count - 1)));
  }
  std::printf(" %.2f |\n", seconds);
  std::fflush(stdout);
}

void run(const Comparison& comparison, const Options& options, const Training& training) {
  Dataset data = comparison.read(options.data);
  if (options.train_rows > 0 && options.train_rows < std::ssize(data.train))
    data.train.resize(static_cast<std::size_t>(options.train_rows));
  std::printf("%td rows train, %td validate, %td test; %td seeds; tables by %s\n\n",
              std::ssize(data.train), std::ssize(data.validation), std::ssize(data.test),
              std::ssize(options.seeds), options.row_rule.c_str());
  bool has_head = false;
  for (const ModelEntry& entry : models()) {
    if (std::ranges::count(options.models, entry.name) == 0) continue;
    std::vector<Run> runs;
    for (const std::uint64_t seed : options.seeds)
      runs.push_back(train(entry, comparison.sizes, data, training, seed));
    if (!has_head) print_head(data, runs.front());
    has_head = true;
    print_model(entry.name, runs);
  }
}

}  // namespace

int compare(const Comparison& comparison, int argc, char** argv) {
  Options options{.models = comparison.models, .row_rule = comparison.row_rule};
  Training training{.epochs = comparison.epochs, .batch = comparison.batch};
  std::vector<std::string> names;
  for (const ModelEntry& entry : models()) names.emplace_back(entry.name);
  CLI::App app("Trains models from ids and prints the test metrics, mean ± deviation over seeds.",
               comparison.name);
  app.option_defaults()->always_capture_default();
  app.add_option("--data", options.data, comparison.data)->envname(comparison.environment);
  app.add_option("--models", options.models, "")->delimiter(',')->check(CLI::IsMember(names));
  app.add_option("--seeds", options.seeds, "Of weights, tables and the order of rows")
      ->delimiter(',');
  app.add_option("--row-rule", options.row_rule, "What moves the rows of tables")
      ->check(CLI::IsMember(row_rules()));
  app.add_option("--row-rate", options.row_rate, "Its learning rate; 0: its own");
  app.add_option("--epochs", training.epochs, "")->check(CLI::PositiveNumber);
  app.add_option("--batch", training.batch, "")->check(CLI::PositiveNumber);
  app.add_option("--train-rows", options.train_rows, "Train on the first so many; 0: on all")
      ->check(CLI::NonNegativeNumber);
  try {
    app.parse(argc, argv);
    if (options.data.empty()) {
      std::fprintf(stderr, "%s: skipped: neither --data nor %s names the data\n", comparison.name,
                   comparison.environment);
      return skipped;
    }
    training.row_rule = row_rule(options.row_rule, options.row_rate);
    run(comparison, options, training);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const plait::Error& error) {  // a file's, say; it names what is wrong and where
    std::fprintf(stderr, "%s: %s\n", comparison.name, error.what());
    return 1;
  }
}

}  // namespace from_ids
