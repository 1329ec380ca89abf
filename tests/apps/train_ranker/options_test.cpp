#include "options.hpp"

#include <sstream>

#include "balancers.hpp"
#include "errors.hpp"
#include "loss_weights.hpp"
#include "plait/optim/sgd.hpp"
#include "support/catch.hpp"
#include "trainee.hpp"

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

TEST_CASE("options: the defaults are all models on the built-in stream") {
  const Options options = parse({});
  CHECK(options.is_stream());
  CHECK_FALSE(options.is_file());
  CHECK(options.stream.train_rows == 24000);
  CHECK(options.synthetic.train_rows == 10000);
  CHECK(options.models.size() == ranker::models().size());
  CHECK(options.models.front()->name == ranker::baseline);
  CHECK(options.seeds == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(options.threads == 1);
  CHECK(options.rule.learning_rate() == 1e-3);
}

TEST_CASE("options: values are taken") {
  const Options options = parse({"--models",         "ple,mmoe",  "--levels",      "128,64",
                                 "--towers",         "32",        "--experts",     "9",
                                 "--shared-experts", "6",         "--optimizer",   "sgd",
                                 "--learning-rate",  "0.05",      "--epochs",      "2",
                                 "--batch",          "64",        "--seeds",       "4,5,6",
                                 "--threads",        "2",         "--correlation", "0.9",
                                 "--rows",           "4000",      "--csv",         "out.csv",
                                 "--data",           "synthetic", "--data-seed",   "7"});
  REQUIRE(options.models.size() == 2);
  CHECK(options.models[0]->name == "mmoe");  // in the list's order, whatever was typed
  CHECK(options.models[1]->name == "ple");
  CHECK(options.sizes.levels == std::vector<plait::Index>{128, 64});
  CHECK(options.sizes.towers == std::vector<plait::Index>{32});
  CHECK(options.sizes.experts == 9);
  CHECK(options.sizes.shared_experts == 6);
  CHECK(options.rule.learning_rate() == 0.05);
  CHECK(options.rule.moment_names() == plait::SGD{.learning_rate = 0.05}.moment_names());
  CHECK(options.epochs == 2);
  CHECK(options.batch == 64);
  CHECK(options.seeds == std::vector<std::uint64_t>{4, 5, 6});
  CHECK(options.threads == 2);
  CHECK(parse({"--data", "x.gz"}).data == "x.gz");
  CHECK(options.synthetic.correlation == 0.9);
  CHECK(options.synthetic.train_rows == 4000);
  CHECK(options.synthetic.validation_rows == 1000);
  CHECK(options.synthetic.test_rows == 2000);
  CHECK(options.synthetic.seed == 7);
  CHECK(options.csv == "out.csv");
  const ranker::StreamConfig stream = parse({"--rows", "4000", "--data-seed", "7"}).stream;
  CHECK(stream.train_rows == 4000);
  CHECK(stream.validation_rows == 1000);
  CHECK(stream.test_rows == 2000);
  CHECK(stream.seed == 7);
}

TEST_CASE("options: methods are taken in the order of their lists, and each trains by itself") {
  CHECK(parse({}).balancing.size() == 1);
  CHECK(parse({}).balancing.front().is_plain());
  const auto chosen =
      parse({"--balancer", "upgrad,pcgrad", "--loss-weights", "gradnorm,equal,dwa"}).balancing;
  std::vector<std::string> names;
  for (const auto& balancing : chosen) {
    names.push_back(balancing.name());
    CHECK((balancing.balancer.empty() || balancing.loss_weights.empty()));
  }
  CHECK(names == std::vector<std::string>{"", "dwa", "gradnorm", "pcgrad", "upgrad"});
  const auto at = parse({"--balancer", "mgda", "--balance-at", "representation"}).balancing;
  CHECK(at.front().at == plait::BalanceAt::representation);
  CHECK(chosen.back().at == plait::BalanceAt::parameters);
  CHECK(parse({"--balancer", "all"}).balancing.size() == 1 + ranker::balancers().size());
  CHECK(parse({"--loss-weights", "all"}).balancing.size() == 1 + ranker::loss_weights().size());

  const auto weights =
      parse({"--loss-weights", "scheduled", "--task-weights", "1,2.5", "--task-factors", "1,0.9"});
  CHECK(weights.task_weights.initial == std::vector<double>{1, 2.5});
  CHECK(weights.task_weights.factor == std::vector<double>{1, 0.9});
}

TEST_CASE("options: tasks, features and the rule of rows are those of files") {
  const Options options = parse({"--data", "x.csv", "--tasks", "a,watch time:regression,c:binary",
                                 "--features", "f.json", "--split-column", "part", "--row-rule",
                                 "sgd", "--row-learning-rate", "0.5"});
  REQUIRE(options.tasks.size() == 3);
  CHECK(options.tasks[0].name == "a");
  CHECK(options.tasks[0].kind == plait::HeadKind::binary);
  CHECK(options.tasks[1].name == "watch time");
  CHECK(options.tasks[1].kind == plait::HeadKind::regression);
  CHECK(options.tasks[2].kind == plait::HeadKind::binary);
  CHECK(options.features == "f.json");
  CHECK(options.split_column == "part");
  CHECK(options.row_rule.name() == "SGD");
  CHECK(options.row_rule.learning_rate() == 0.5);
  CHECK(parse({}).row_rule.name() == "RowwiseAdagrad");
  for (const char* rule :
       {"rowwise_adagrad", "adagrad", "sgd", "lazy_adam", "rowwise_adam", "ftrl"})
    CHECK_NOTHROW(parse({"--data", "x.csv", "--tasks", "a", "--row-rule", rule}));
  CHECK(parse({"--data", "x.csv", "--tasks", "a", "--describe", "d"}).describe == "d");
}

TEST_CASE("options: early stopping is off unless asked for") {
  CHECK_FALSE(parse({}).early_stop);
  const auto stopping = parse({"--early-stop", "every", "--patience", "5"}).early_stop;
  REQUIRE(stopping);
  CHECK(stopping->stop_when == plait::StopWhen::every_task_stalls);
  CHECK(stopping->patience == 5);
  CHECK(parse({"--early-stop", "sum"}).early_stop->stop_when == plait::StopWhen::sum_stalls);
  CHECK(parse({"--early-stop", "any"}).early_stop->stop_when == plait::StopWhen::any_task_stalls);
}

TEST_CASE("options: an instruction set is a limit") {
  CHECK(parse({}).instruction_set == plait::most_instruction_set);
  const auto set = [](const char* name) {
    return parse({"--instruction-set", name}).instruction_set;
  };
  CHECK(set("sse2") == plait::InstructionSet::baseline);
  CHECK(set("avx2") == plait::InstructionSet::avx2);
  CHECK(set("avx512") == plait::InstructionSet::avx512);
}

TEST_CASE("options: what a precision costs is measured when asked for") {
  CHECK(parse({}).precision == plait::Precision::full);
  const Options options = parse({"--precision", "bf16"});
  CHECK(options.precision == plait::Precision::bf16);
  CHECK(options.precision_bound == 0.01);
  for (const char* name : {"--precision-bound", "--precision_bound"})
    CHECK(parse({"--precision", "bf16", name, "0.5"}).precision_bound == 0.5);
  CHECK(options.run == parse({}).run);
}

TEST_CASE("options: a run to resume shares the method") {
  const auto run = [](std::vector<const char*> arguments) {
    arguments.insert(arguments.end(), {"--models", "mmoe", "--checkpoint-dir", "here"});
    return parse(arguments).run;
  };
  CHECK(run({}) == run({"--epochs", "9"}));
  CHECK(run({}) == run({"--instruction-set", "sse2"}));
  CHECK(run({}) != run({"--balancer", "pcgrad"}));
  CHECK(run({}) != run({"--loss-weights", "dwa"}));
  CHECK(run({}) != run({"--early-stop", "sum"}));
}

TEST_CASE("options: what would have no effect is refused") {
  const std::vector<std::pair<std::vector<const char*>, std::string>> cases{
      {{"--seeds", "1,1"}, "--seeds: got 1 twice, expected it once"},
      {{"--seeds", "3,1,2,01"}, "--seeds: got 1 twice, expected it once"},
      {{"--seeds", "7", "--seeds", "7"}, "--seeds: got 7 twice, expected it once"},
      {{"--levels", "64,,32"}, "--levels: got 64,,32, expected no empty entry"},
      {{"--levels", "64", "32,"}, "--levels: got 32,, expected no empty entry"},
      {{"--towers=,8"}, "--towers: got ,8, expected no empty entry"},
      {{"--seeds", ","}, "--seeds: got ,, expected no empty entry"},
      {{"--models", "mmoe,,ple"}, "--models: got mmoe,,ple, expected no empty entry"},
      {{"--task-weights", "1,2"},
       "--task-weights: expected --loss-weights static or scheduled with it"},
      {{"--task-weights", "1,2,3", "--loss-weights", "dwa"},
       "--task-weights: expected --loss-weights static or scheduled with it"},
      {{"--task-factors", "1,1,1", "--loss-weights", "static"},
       "--task-factors: expected --loss-weights scheduled with it"},
      {{"--loss-weights", "dwa", "--balance-at", "representation"},
       "--balance-at: expected --balancer with it"},
      {{"--models", "single-task", "--balancer", "pcgrad"},
       "--balancer: expected a model other than single-task with it"},
      {{"--models", "single-task", "--loss-weights", "static", "--task-weights", "1,2"},
       "--loss-weights: expected a model other than single-task with it"},
      {{"--models", "mmoe", "--shared-experts", "2"},
       "--shared-experts: expected cgc, ple or adatt with it"},
      {{"--models", "cross-stitch", "--experts", "2"},
       "--experts: expected a model with experts (mmoe, ml-mmoe, cgc, ple, adatt-sp, adatt, "
       "snr-trans, snr-aver, branch) with it"},
      {{"--models", "mmoe", "--stitch", "ones"}, "--stitch: expected cross-stitch with it"},
      {{"--models", "cross-stitch", "--gate", "dselect"},
       "--gate: expected a model with gates (mmoe, ml-mmoe, cgc, ple, adatt-sp, adatt) with it"},
      {{"--models", "snr-aver", "--gate", "dselect"},
       "--gate: expected a model with gates (mmoe, ml-mmoe, cgc, ple, adatt-sp, adatt) with it"},
      {{"--models", "shared-bottom,mtan", "--gate", "noisy"},
       "--gate: expected a model with gates (mmoe, ml-mmoe, cgc, ple, adatt-sp, adatt) with it"},
      {{"--gate", "noisy", "--selectors", "3"},
       "--selectors: expected --gate dselect or dselect-static with it"},
      {{"--models", "mmoe", "--penalties", "l2=1,l0=1"},
       "--penalties l0: expected snr-trans or snr-aver with it"},
      {{"--models", "snr-aver", "--penalties", "adashare=1"},
       "--penalties adashare: expected adashare with it"},
      {{"--penalties", "l1=1,,l2=1"}, "--penalties: got l1=1,,l2=1, expected no empty entry"},
      {{"--selectors", "3"}, "--selectors: expected --gate dselect or dselect-static with it"},
      {{"--gate", "softmax", "--selectors", "3"},
       "--selectors: expected --gate dselect or dselect-static with it"},
      {{"--tasks", "click"}, "--tasks: expected --data and a file with it"},
      {{"--data", "x.csv", "--features", "f"}, "--features: expected --tasks with it"},
      {{"--data", "x.csv", "--describe", "f"}, "--describe: expected --tasks with it"},
      {{"--data", "x.csv", "--tasks", "a", "--describe", "f", "--features", "f"},
       "--describe: expected no --features with it"},
      {{"--data", "x.csv", "--split-column", "s"}, "--split-column: expected --tasks with it"},
      {{"--data", "synthetic", "--row-rule", "sgd"},
       "--row-rule: expected --data stream or --tasks with it"},
      {{"--data", "synthetic", "--row-learning-rate", "0.1"},
       "--row-learning-rate: expected --data stream or --tasks with it"},
      {{"--data", "x.gz", "--rows", "400"}, "--rows: expected --data stream or synthetic with it"},
      {{"--data", "x.gz", "--correlation", "0.5"},
       "--correlation: expected --data synthetic with it"},
      {{"--correlation", "0.5"}, "--correlation: expected --data synthetic with it"},
      {{"--noise", "2"}, "--noise: expected --data synthetic with it"},
      {{"--inputs", "8"}, "--inputs: expected --data synthetic with it"},
      {{"--data", "x.gz", "--data-seed", "2"},
       "--data-seed: expected --data stream or synthetic with it"},
      {{"--tasks", "click"}, "--tasks: expected --data and a file with it"},
      {{"--data", "synthetic", "--tasks", "click"}, "--tasks: expected --data and a file with it"},
  };
  for (const auto& [arguments, message] : cases) CHECK(error_of(arguments) == message);
  CHECK(parse({"--csv", "a,,b"}).csv == "a,,b");
  CHECK(parse({"--levels", "64", "32"}).sizes.levels == std::vector<plait::Index>{64, 32});
}

TEST_CASE("options: gates are softmaxes, or choose experts") {
  CHECK_FALSE(parse({}).gate.dselect);
  const auto per_row = parse({"--gate", "dselect"}).gate.dselect;
  CHECK(per_row == plait::DSelectK{});
  const Options once = parse({"--models", "ple", "--gate", "dselect-static", "--selectors", "3"});
  CHECK(once.gate.dselect == plait::DSelectK{.selectors = 3, .per_example = false});
  CHECK(once.run.find("--gate=dselect-static --selectors=3") != std::string::npos);
}

TEST_CASE("options: gates may be noisy, and hidden layers drop numbers") {
  CHECK_FALSE(parse({}).gate.noise);
  const Options noisy = parse({"--gate", "noisy"});
  CHECK(noisy.gate.noise == plait::GateNoise{});
  CHECK_FALSE(noisy.gate.dselect);
  CHECK(noisy.run.find("--gate=noisy") != std::string::npos);
  CHECK(parse({}).sizes.dropout == 0);
  const Options drops = parse({"--models", "mtan", "--dropout", "0.25"});
  CHECK(drops.sizes.dropout == 0.25);
  CHECK(drops.run.find("--dropout=0.25") != std::string::npos);
  for (const char* rate : {"1", "-0.1", "nan"})
    CHECK(error_of({"--dropout", rate}) ==
          "--dropout: got " + std::string(rate) + ", expected a number from 0 to 0.99");
}

TEST_CASE("options: experts are those of gates, and those that are routed") {
  for (const char* model : {"mmoe", "adatt", "snr-trans", "snr-aver", "branch"})
    CHECK(parse({"--models", model, "--experts", "5"}).sizes.experts == 5);
}

TEST_CASE("options: penalties have a name and a weight") {
  CHECK(parse({}).penalties.empty());
  const Options options = parse({"--models", "mmoe,snr-aver,adashare", "--penalties",
                                 "l0=0.001,adashare=1e-3,heads=2", "--penalties", "l1=0,l2=7"});
  REQUIRE(options.penalties.size() == 5);
  CHECK(options.penalties[0].name == "l0");
  CHECK(options.penalties[0].weight == 0.001);
  CHECK(options.penalties[4].weight == 7);
  CHECK(options.run != parse({"--models", "mmoe,snr-aver,adashare"}).run);
  // A model has those that it has parameters for.
  for (const auto* model : options.models) {
    INFO(std::string(model->name));
    ranker::TraineeOptions config;
    config.input_dim = 4;
    config.heads = {{}, {}};
    config.penalties = options.penalties;
    const ranker::Trainee trainee(*model, config);
    REQUIRE(trainee.trainer.penalties() != nullptr);
    CHECK(trainee.trainer.penalties()->size() == (model->name == "mmoe" ? 3 : 4));
  }
  ranker::TraineeOptions config;
  config.input_dim = 4;
  config.heads = {{}, {}};
  config.penalties = {{"l0", 1}};
  CHECK(ranker::Trainee(*options.models.front(), config).trainer.penalties() == nullptr);
}

TEST_CASE("options: help lists every model, every method and is not an error") {
  std::ostringstream help;
  const char* arguments[] = {"train_ranker", "--help"};
  CHECK_FALSE(ranker::parse_options(2, arguments, help));
  for (const auto& model : ranker::models())
    CHECK(help.str().find("  " + std::string(model.name) + " ") != std::string::npos);
  for (const auto& method : ranker::balancers())
    CHECK(help.str().find("  " + std::string(method.name) + " ") != std::string::npos);
  for (const auto& method : ranker::loss_weights())
    CHECK(help.str().find("  " + std::string(method.name) + " ") != std::string::npos);
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
      {{"--balancer", "mgda", "--balance-at", "towers"},
       "--balance-at: got towers, expected parameters or representation"},
      {{"--gate", "top-k"},
       "--gate: got top-k, expected softmax, dselect, dselect-static or noisy"},
      {{"--gate", "dselect", "--selectors", "0"},
       "--selectors: got 0, expected a number from 1 to 1000"},
      {{"--instruction-set", "AVX9"}, "--instruction-set: got AVX9, expected sse2, avx2 or avx512"},
      {{"--optimizer", "lion"},
       "--optimizer: got lion, expected adam, adamw, adagrad, rmsprop or sgd"},
      {{"--data", "x.csv", "--tasks", "a", "--row-rule", "lion"},
       "--row-rule: got lion, expected rowwise_adagrad, adagrad, sgd, lazy_adam, rowwise_adam or "
       "ftrl"},
      {{"--data", "x.csv", "--tasks", "a", "--row-learning-rate", "0"},
       "--row-learning-rate: got 0, expected a number from 1e-12 to 1000"},
      {{"--data", "x.csv", "--tasks", "a:ordinal"},
       "--tasks: got 'a:ordinal', expected a column, or one with :binary or :regression"},
      {{"--data", "x.csv", "--tasks", ":binary"},
       "--tasks: got ':binary', expected a column, or one with :binary or :regression"},
      {{"--data", "x.csv", "--tasks", "a,a:regression"},
       "--tasks: got 'a' twice, expected it once"},
      {{"--data", "x.csv", "--tasks", "a,,b"}, "--tasks: got a,,b, expected no empty entry"},
      {{"--penalties", "l3=1"},
       "--penalties: got l3=1, expected l1, l2, l0, adashare or heads, = and a weight from 0 to "
       "1e9"},
      {{"--penalties", "l1"},
       "--penalties: got l1, expected l1, l2, l0, adashare or heads, = and a weight from 0 to 1e9"},
      {{"--penalties", "l1=-1"},
       "--penalties: got l1=-1, expected l1, l2, l0, adashare or heads, = and a weight from 0 to "
       "1e9"},
      {{"--penalties", "l1=1,l1=2"}, "--penalties: got l1 twice, expected it once"},
      {{"--epochs", "2.5"}, "Could not convert: --epochs = 2.5"},
      {{"--balancer", "dwa"}, "--balancer: unknown method 'dwa'; --help lists them"},
      {{"--loss-weights", "pcgrad"}, "--loss-weights: unknown method 'pcgrad'; --help lists them"},
      {{"--task-weights", "-1"}, "--task-weights: got -1, expected a number from 0 to 1000000000"},
      {{"--early-stop", "now"}, "--early-stop: got now, expected sum, every or any"},
      {{"--patience", "2"}, "--patience: expected --early-stop with it"},
      {{"--precision", "int8"}, "--precision: got int8, expected bf16"},
      {{"--precision", ""}, "--precision: got , expected bf16"},
      {{"--precision", "bf16", "--precision-bound", "0"},
       "--precision-bound: got 0, expected a number from 1e-09 to 100"},
      {{"--precision", "bf16", "--precision-bound", "-0.01"},
       "--precision-bound: got -0.01, expected a number from 1e-09 to 100"},
      {{"--precision", "bf16", "--precision-bound", "nan"},
       "--precision-bound: got nan, expected a number from 1e-09 to 100"},
      {{"--precision-bound", "0.1"}, "--precision-bound: expected --precision with it"},
      {{"--models", "mmoe", "--save", "x", "--balancer", "pcgrad,cagrad"},
       "--save and --checkpoint-dir: expected one method of --loss-weights or --balancer"},
      {{"--seeds", "-1"}, "--seeds: got -1, expected a number from 0 to 1000000000"},
  };
  for (const auto& [arguments, message] : cases) CHECK(error_of(arguments) == message);
  CHECK(error_of({"--frobnicate"}).find("--frobnicate") != std::string::npos);
  CHECK(error_of({"stray"}).find("stray") != std::string::npos);
}
