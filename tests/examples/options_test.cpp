#include "options.hpp"

#include <sstream>

#include "errors.hpp"
#include "support/catch.hpp"

namespace {

using ranker::Options;

Options parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "train_ranker");
  std::ostringstream help;
  const auto options =
      ranker::parse_options(static_cast<int>(arguments.size()), arguments.data(), help);
  CHECK(help.str().empty());
  REQUIRE(options);
  return *options;
}

std::string error_of(const std::vector<const char*>& arguments) {
  try {
    parse(arguments);
  } catch (const ranker::UsageError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("options: the defaults are all models on synthetic data") {
  const Options options = parse({});
  CHECK(options.is_synthetic());
  CHECK(options.models.size() == ranker::models().size());
  CHECK(options.models.front()->name == ranker::baseline);
  CHECK(options.seeds == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(options.threads == 1);
  CHECK(options.rule.learning_rate == 1e-3);
}

TEST_CASE("options: values are taken") {
  const Options options = parse(
      {"--models",        "ple,mmoe", "--levels",         "128,64", "--towers",    "32",
       "--experts",       "9",        "--shared-experts", "6",      "--optimizer", "sgd",
       "--learning-rate", "0.05",     "--epochs",         "2",      "--batch",     "64",
       "--seeds",         "4,5,6",    "--threads",        "2",      "--data",      "x.gz",
       "--correlation",   "0.9",      "--rows",           "4000",   "--csv",       "out.csv"});
  REQUIRE(options.models.size() == 2);
  CHECK(options.models[0]->name == "mmoe");  // in the list's order, whatever was typed
  CHECK(options.models[1]->name == "ple");
  CHECK(options.sizes.levels == std::vector<plait::Index>{128, 64});
  CHECK(options.sizes.towers == std::vector<plait::Index>{32});
  CHECK(options.sizes.experts == 9);
  CHECK(options.sizes.shared_experts == 6);
  CHECK(options.rule.learning_rate == 0.05);
  CHECK(options.rule.moment_names() == plait::SGD{.learning_rate = 0.05}.moment_names());
  CHECK(options.epochs == 2);
  CHECK(options.batch == 64);
  CHECK(options.seeds == std::vector<std::uint64_t>{4, 5, 6});
  CHECK(options.threads == 2);
  CHECK(options.data == "x.gz");
  CHECK(options.synthetic.correlation == 0.9);
  CHECK(options.synthetic.train_rows == 4000);
  CHECK(options.synthetic.validation_rows == 1000);
  CHECK(options.synthetic.test_rows == 2000);
  CHECK(options.csv == "out.csv");
}

TEST_CASE("options: help lists every model and is not an error") {
  std::ostringstream help;
  const char* arguments[] = {"train_ranker", "--help"};
  CHECK_FALSE(ranker::parse_options(2, arguments, help));
  for (const auto& model : ranker::models())
    CHECK(help.str().find("  " + std::string(model.name) + " ") != std::string::npos);
}

TEST_CASE("options: errors are one line that names the option") {
  const std::vector<std::pair<std::vector<const char*>, std::string>> cases{
      {{"--models", "mmoe,gpt"}, "--models: unknown model 'gpt'; --help lists them"},
      {{"--epochs", "many"}, "--epochs: got many, expected a number from 1 to 1000000"},
      {{"--epochs", "0"}, "--epochs: got 0, expected a number from 1 to 1000000"},
      {{"--learning-rate", "nan"},
       "--learning-rate: got nan, expected a number from 1e-12 to 1000"},
      {{"--correlation", "1.5"}, "--correlation: got 1.5, expected a number from 0 to 1"},
      {{"--stitch", "zigzag"}, "--stitch: got zigzag, expected near-identity, uniform or ones"},
      {{"--optimizer", "lion"},
       "--optimizer: got lion, expected adam, adamw, adagrad, rmsprop or sgd"},
      {{"--epochs", "2.5"}, "Could not convert: --epochs = 2.5"},
      {{"--seeds", "-1"}, "--seeds: got -1, expected a number from 0 to 1000000000"},
  };
  for (const auto& [arguments, message] : cases) CHECK(error_of(arguments) == message);
  CHECK(error_of({"--frobnicate"}).find("--frobnicate") != std::string::npos);
  CHECK(error_of({"stray"}).find("stray") != std::string::npos);
}
