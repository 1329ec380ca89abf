// score_file: scores rows of numbers with a model file. See --help.
#include <CLI/CLI.hpp>
#include <exception>
#include <fstream>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"
#include "plait/core/instruction_set.hpp"
#include "plait/io/model_file.hpp"
#include "plait/losses/head.hpp"
#include "plait/losses/predict.hpp"
#include "plait/model/model.hpp"
#include "plait/serve/scorer.hpp"
#include "rows.hpp"

namespace scoring {
namespace {

struct Options {
  std::string model;
  std::string rows = "-";
  bool logits = false;
};

// A column per logit: the task's name, with the class's number for a head of several.
std::string header(std::span<const plait::Head> heads) {
  std::string line;
  for (const std::string& name : plait::column_names(heads))
    line += (line.empty() ? "" : ",") + plait::csv_text(name);
  return line + '\n';
}

void write_row(std::ostream& out, const float* numbers, Index count) {
  for (Index i = 0; i < count; ++i) out << (i > 0 ? "," : "") << plait::csv_number(numbers[i]);
  out << '\n';
}

void score(const plait::Model<float>& model, std::span<const plait::Head> heads, RowReader& reader,
           std::ostream& out, bool logits) {
  constexpr Index batch = 512;
  const plait::Shape in = model.in_shape();
  const Index width = model.out_shape().dim;
  const plait::Scorer scorer(model);
  auto context = scorer.context();
  std::vector<float> numbers;
  plait::Tensor<float> scores;
  Index rows = reader.read(batch, numbers);
  if (!heads.empty()) out << header(heads);
  for (; rows > 0; rows = reader.read(batch, numbers)) {
    scores.resize(rows, 1, width);
    context.score({numbers.data(), rows, in.slots, in.dim}, scores);
    if (!logits) plait::predict(heads, scores.view(), scores.view());
    for (Index b = 0; b < rows; ++b) write_row(out, scores.view().row(b), width);
    numbers.clear();
  }
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Scores rows of numbers with a model file and writes a line of predictions for each:\n"
      "probabilities of binary and multiclass tasks, values of regression tasks.",
      "score_file");
  app.add_option("model", options.model, "Model file, as train_ranker --save writes it")
      ->required();
  app.add_option("rows", options.rows,
                 "File with a row of comma-separated inputs per line; - reads standard input")
      ->capture_default_str();
  app.add_flag("--logits", options.logits, "Write logits instead of predictions");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return 0;
  }

  const auto loaded = plait::load<float>(options.model);
  if (loaded.heads.empty() && !options.logits)
    throw std::runtime_error(options.model + ": has no heads; --logits scores it");
  std::ifstream file;
  const bool standard = options.rows == "-";
  if (!standard) {
    file.open(options.rows);
    if (!file) throw DataError(options.rows + ": cannot be opened");
  }
  const plait::Shape in = loaded.model.in_shape();
  RowReader reader(standard ? std::cin : file, standard ? "standard input" : options.rows,
                   in.slots * in.dim);
  score(loaded.model, loaded.heads, reader, std::cout, options.logits);
  if (!std::cout.flush()) throw std::runtime_error("standard output: cannot be written");
  std::cerr << "score_file: " << plait::shown(options.model) << ": "
            << plait::shown(loaded.model.trunk_config().name()) << ", " << in.slots * in.dim
            << " inputs, instruction set " << plait::name(plait::instruction_set()) << '\n';
  return 0;
}

}  // namespace
}  // namespace scoring

int main(int argc, char** argv) {
  try {
    return scoring::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "score_file: " << plait::shown(error.what()) << '\n';
    return 2;
  }
}
