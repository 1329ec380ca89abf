#include "options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

#include "balancers.hpp"
#include "effect.hpp"
#include "errors.hpp"
#include "loss_weights.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"
#include "task_column.hpp"

namespace ranker {
namespace {

// The name of no method at all, in both lists.
constexpr std::string_view equal = "equal";

std::string shortest(double value) { return plait::general_number(value, 12); }

// CLI::Range lets NaN through, and unsigned numbers take -1.
CLI::Validator between(double low, double high) {
  return CLI::Validator(
      [low, high](std::string& text) {
        double value = 0;
        if (CLI::detail::lexical_cast(text, value) && value >= low && value <= high)
          return std::string();
        return "got " + text + ", expected a number from " + shortest(low) + " to " +
               shortest(high);
      },
      "");
}

std::vector<const ModelEntry*> chosen(const std::vector<std::string>& names) {
  std::vector<const ModelEntry*> result;
  for (const ModelEntry& entry : models()) {
    const auto is_entry = [&](const std::string& name) {
      return name == "all" || name == entry.name;
    };
    if (std::any_of(names.begin(), names.end(), is_entry)) result.push_back(&entry);
  }
  return result;
}

plait::Stitch stitch_start(const std::string& name) {
  if (name == "near-identity") return plait::Stitch::near_identity;
  if (name == "uniform") return plait::Stitch::uniform;
  if (name == "ones") return plait::Stitch::ones;
  throw UsageError("--stitch: got " + name + ", expected near-identity, uniform or ones");
}

plait::BalanceAt balance_at(const std::string& name) {
  if (name == "parameters") return plait::BalanceAt::parameters;
  if (name == "representation") return plait::BalanceAt::representation;
  throw UsageError("--balance-at: got " + name + ", expected parameters or representation");
}

// As many experts as `selectors` have weight, unless it is a softmax.
plait::GateConfig gate_config(const std::string& name, Index selectors) {
  if (name == "softmax") return {};
  if (name == "noisy") return {.noise = plait::GateNoise{}};
  const bool per_example = name == "dselect";
  if (!per_example && name != "dselect-static")
    throw UsageError("--gate: got " + name +
                     ", expected softmax, dselect, dselect-static or noisy");
  return {.dselect = plait::DSelectK{.selectors = selectors, .per_example = per_example}};
}

plait::InstructionSet instruction_set(const std::string& name) {
  if (name == "sse2") return plait::InstructionSet::baseline;
  if (name == "avx2") return plait::InstructionSet::avx2;
  if (name == "avx512") return plait::InstructionSet::avx512;
  throw UsageError("--instruction-set: got " + name + ", expected sse2, avx2 or avx512");
}

// Their names and summaries.
template <class Entries>
std::string list_of(const char* title, const Entries& entries) {
  std::string list = title;
  for (const auto& entry : entries)
    list += "  " + std::string(entry.name) + std::string(16 - entry.name.size(), ' ') +
            std::string(entry.summary) + '\n';
  return list;
}

// That a name is all, one of the entries', or `also`.
template <class Entries>
CLI::Validator name_of(const char* what, const Entries& entries, std::string_view also = "all") {
  return CLI::Validator(
      [what, entries, also](std::string& name) {
        const bool known = name == "all" || name == also ||
                           std::any_of(entries.begin(), entries.end(),
                                       [&](const auto& entry) { return entry.name == name; });
        return known ? std::string()
                     : plait::text("unknown ", what, " ", plait::in_quotes(name),
                                   "; --help lists them");
      },
      "");
}

// Equal weights, the methods that weigh losses, then those that balance gradients, in the order of
// their lists.
std::vector<Balancing> chosen_balancing(const std::vector<std::string>& loss_weight_names,
                                        const std::vector<std::string>& balancer_names,
                                        plait::BalanceAt at) {
  const auto has = [](const std::vector<std::string>& names, std::string_view name) {
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& given) { return given == "all" || given == name; });
  };
  std::vector<Balancing> result;
  if (has(loss_weight_names, equal) || has(balancer_names, equal)) result.push_back({});
  for (const LossWeightsEntry& entry : loss_weights())
    if (has(loss_weight_names, entry.name))
      result.push_back({.loss_weights = std::string(entry.name)});
  for (const BalancerEntry& entry : balancers())
    if (has(balancer_names, entry.name))
      result.push_back({.balancer = std::string(entry.name), .at = at});
  if (result.empty()) result.push_back({});
  return result;
}

plait::StopWhen stop_when(const std::string& name) {
  if (name == "sum") return plait::StopWhen::sum_stalls;
  if (name == "every") return plait::StopWhen::every_task_stalls;
  if (name == "any") return plait::StopWhen::any_task_stalls;
  throw UsageError("--early-stop: got " + name + ", expected sum, every or any");
}

plait::Precision reduced_precision(const std::string& name) {
  if (name == "bf16") return plait::Precision::bf16;
  throw UsageError("--precision: got " + name + ", expected bf16");
}

// The options that decide the weights a run ends in, as one text. The number of epochs is not among
// them: a run may be continued for longer; nor is the instruction set: on another machine.
std::string run_text(const CLI::App& app) {
  std::string result;
  for (const CLI::Option* option : app.get_options()) {
    const std::string& group = option->get_group();
    const std::string name = option->get_name();
    if (group != "Models" && group != "Training" && group != "Balancing" && group != "Data")
      continue;
    if (name == "--epochs" || name == "--threads" || name == "--instruction-set") continue;
    const auto& given = option->results();
    std::string value = given.empty() ? option->get_default_str() : "";
    for (const std::string& part : given) value += (value.empty() ? "" : ",") + part;
    result += (result.empty() ? "" : " ") + name + '=' + value;
  }
  return result;
}

}  // namespace

std::optional<Options> parse_options(int argc, const char* const* argv, std::ostream& out) {
  Options options;
  std::vector<std::string> names{"all"};
  std::string stitch = "near-identity";
  std::string at = "parameters";
  std::string gate = "softmax";
  std::vector<std::string> penalties;
  Index selectors = 2;
  std::string optimizer = "adam";
  std::vector<std::string> loss_weight_names;
  std::vector<std::string> balancer_names;
  std::string early_stop;
  std::string set;
  std::string precision;
  plait::EarlyStoppingOptions stopping;
  double learning_rate = 1e-3;
  std::string row_rule = "rowwise_adagrad";
  double row_learning_rate = 0;
  std::vector<std::string> tasks;
  Index rows = 0;
  constexpr double many = 1e9;

  CLI::App app(
      "Trains multi-task ranking models on the same data and compares them in one table.\n"
      "The epoch with the best sum of validation AUC (R^2 for regression) is kept and tested.\n",
      "train_ranker");
  app.footer(
      list_of("Models:\n", models()) + list_of("\nMethods of --loss-weights:\n", loss_weights()) +
      list_of("\nMethods of --balancer:\n", balancers()) +
      "\nExamples:\n"
      "  train_ranker                                       all models, a made-up stream of "
      "clicks\n"
      "  train_ranker --data synthetic --models single-task,shared-bottom,mmoe --correlation 0.2\n"
      "  train_ranker --data clicks.csv --tasks click,watch:regression --models single-task,mmoe\n"
      "  train_ranker --models single-task,mmoe --loss-weights equal,dwa --balancer pcgrad\n"
      "  train_ranker --data census-income.data.gz --levels 128,64 --towers 32 \\\n"
      "      --batch 1024 --epochs 5");
  app.get_formatter()->column_width(34);
  app.option_defaults()->always_capture_default();

  app.add_option("--models", names, "Models to train, or all")
      ->delimiter(',')
      ->group("Models")
      ->check(name_of("model", models()));
  app.add_option("--levels", options.sizes.levels,
                 "Width of each level; one-level models stack them in their experts")
      ->delimiter(',')
      ->group("Models")
      ->check(between(1, many));
  app.add_option("--towers", options.sizes.towers, "Hidden widths of each task's tower")
      ->delimiter(',')
      ->group("Models")
      ->check(between(1, many));
  app.add_option("--experts", options.sizes.experts,
                 "Experts of one level, all tasks' and shared ones together")
      ->group("Models")
      ->check(between(1, many));
  app.add_option("--shared-experts", options.sizes.shared_experts,
                 "Those of them that are shared (cgc, ple, adatt)")
      ->group("Models")
      ->check(between(0, many));

  app.add_option("--stitch", stitch,
                 "Cross-stitch matrices start near-identity, uniform (the reference) or ones")
      ->group("Models");

  app.add_option("--gate", gate,
                 "Weights of experts: softmax of all, with noise in training (noisy), or of a few "
                 "that are chosen row by row (dselect) or once for all rows (dselect-static)")
      ->group("Models");
  app.add_option("--selectors", selectors, "Experts that a gate of --gate dselect ends at, at most")
      ->group("Models")
      ->check(between(1, 1e3));

  app.add_option("--dropout", options.sizes.dropout,
                 "Rate at which numbers of hidden layers are dropped in training: in towers, in "
                 "experts but those of mtan, snr and branch, in adashare's stem and "
                 "soft-ordering's encoders")
      ->group("Models")
      ->check(between(0, 0.99));

  app.add_option("--optimizer", optimizer, "adam, adamw, adagrad, rmsprop or sgd")
      ->group("Training");
  app.add_option("--learning-rate", learning_rate, "Step size")
      ->group("Training")
      ->check(between(1e-12, 1e3));
  app.add_option(
         "--row-rule", row_rule,
         "Of rows of tables: rowwise_adagrad, adagrad, sgd, lazy_adam, rowwise_adam or ftrl")
      ->group("Training");
  app.add_option("--row-learning-rate", row_learning_rate,
                 "Step size of rows of tables; without it, one that suits --row-rule")
      ->group("Training")
      ->default_str("")
      ->check(between(1e-12, 1e3));
  app.add_option("--epochs", options.epochs, "Passes over the training rows")
      ->group("Training")
      ->check(between(1, 1e6));
  app.add_option("--batch", options.batch, "Rows of one step")
      ->group("Training")
      ->check(between(1, many));
  app.add_option("--seeds", options.seeds,
                 "Seeds of weights and row order; several show mean and deviation")
      ->delimiter(',')
      ->group("Training")
      ->check(between(0, many));
  app.add_option("--threads", options.threads,
                 "Threads, of which at most 8 are of use; results do not depend on it")
      ->group("Training")
      ->check(between(1, 1024));
  app.add_option("--instruction-set", set,
                 "At most this one: sse2, avx2 or avx512; without it the machine's largest. Last "
                 "digits depend on it")
      ->group("Training")
      ->always_capture_default(false);

  app.add_option(
         "--early-stop", early_stop,
         "Stop when validation no longer gains: in the sum over the tasks, in every task, or "
         "in any (sum, every, any); without it all epochs are trained")
      ->group("Training")
      ->always_capture_default(false);
  app.add_option("--patience", stopping.patience,
                 "Epochs without a gain after which --early-stop stops")
      ->group("Training")
      ->check(between(1, many));

  app.add_option("--loss-weights", loss_weight_names,
                 "Methods that weigh the tasks' losses, equal or all; each is a row of the table")
      ->delimiter(',')
      ->group("Balancing")
      ->always_capture_default(false)
      ->check(name_of("method", loss_weights(), equal));
  app.add_option("--balancer", balancer_names,
                 "Methods that balance the tasks' gradients, equal or all; the same")
      ->delimiter(',')
      ->group("Balancing")
      ->always_capture_default(false)
      ->check(name_of("method", balancers(), equal));
  app.add_option("--balance-at", at,
                 "Where a balancer sees the tasks' gradients: all shared parameters, or the "
                 "representation (one backward pass, whatever the number of tasks)")
      ->group("Balancing");
  app.add_option("--task-weights", options.task_weights.initial,
                 "A weight per task for static and scheduled")
      ->delimiter(',')
      ->group("Balancing")
      ->always_capture_default(false)
      ->check(between(0, many));
  app.add_option("--task-factors", options.task_weights.factor, "A factor per task for scheduled")
      ->delimiter(',')
      ->group("Balancing")
      ->always_capture_default(false)
      ->check(between(0, many));

  app.add_option("--penalties", penalties,
                 "Terms of the parameters alone, name=weight: l1, l2, of every *.weight; l0 "
                 "(snr-trans, snr-aver); adashare, the weight of both its terms; heads, by which "
                 "the first layers of related tasks' towers draw each other near")
      ->delimiter(',')
      ->group("Training")
      ->always_capture_default(false);

  app.add_option(
         "--data", options.data,
         "stream (clicks with ids, made up), synthetic (numbers alone, the MMoE recipe), or "
         "a file, plain or gzip: CSV with a header, JSON lines, or Census-Income (KDD) of "
         "the UCI archive")
      ->group("Data");
  app.add_option(
         "--tasks", tasks,
         "CSV, JSON lines: columns of labels, empty where there is none: click,watch:regression")
      ->delimiter(',')
      ->group("Data")
      ->always_capture_default(false);
  app.add_option(
         "--features", options.features,
         "CSV, JSON lines: a file that describes the features; without it they are inferred")
      ->group("Data")
      ->always_capture_default(false);
  app.add_option("--describe", options.describe,
                 "CSV, JSON lines: only write the inferred features to this file, for --features")
      ->group("Data")
      ->always_capture_default(false);
  app.add_option(
         "--split-column", options.split_column,
         "CSV, JSON lines: a column of train, validation and test; without it 80, 10 and 10 "
         "% by a hash of the row, whatever the order")
      ->group("Data")
      ->always_capture_default(false);
  app.add_option("--correlation", options.synthetic.correlation,
                 "Synthetic: correlation of the tasks, 0 to 1")
      ->group("Data")
      ->check(between(0, 1));
  app.add_option("--noise", options.synthetic.noise, "Synthetic: standard deviation of the noise")
      ->group("Data")
      ->check(between(0, 1e6));
  app.add_option("--rows", rows,
                 "Stream, synthetic: training rows; a quarter as many validate, half as many test; "
                 "without it 24000 and 10000")
      ->group("Data")
      ->default_str("")
      ->check(between(100, many));
  app.add_option("--inputs", options.synthetic.input_dim, "Synthetic: inputs of a row")
      ->group("Data")
      ->check(between(3, 1e6));
  app.add_option("--data-seed", options.synthetic.seed, "Stream, synthetic: seed of the data")
      ->group("Data")
      ->check(between(0, many));

  app.add_option("--csv", options.csv, "Also write the table to this file, for programs")
      ->group("Output")
      ->always_capture_default(false);
  app.add_option("--report", options.report,
                 "Also write a page of HTML to this file: tables, curves, experts")
      ->group("Output")
      ->always_capture_default(false);

  app.add_option("--precision", precision,
                 "Also measure what scoring in this precision costs (bf16), by task and by weight")
      ->group("Output")
      ->always_capture_default(false);
  app.add_option("--precision-bound,--precision_bound", options.precision_bound,
                 "Change of a task's NE (MSE for regression) in percent; with --precision the "
                 "weights to keep for it are printed")
      ->group("Output")
      ->check(between(1e-9, 100));

  app.add_option("--save", options.save,
                 "Write the trained model to this file, with what its features need")
      ->group("Files (one model, one seed)")
      ->always_capture_default(false);
  app.add_option("--checkpoint-dir", options.checkpoint_dir, "Keep checkpoints in this directory")
      ->group("Files (one model, one seed)")
      ->always_capture_default(false);
  app.add_option("--checkpoint-every", options.checkpoint_every, "Steps between checkpoints")
      ->group("Files (one model, one seed)")
      ->check(between(1, many));
  app.add_flag("--resume", options.resume, "Go on from the newest checkpoint, if there is one")
      ->group("Files (one model, one seed)");
  app.add_flag("--new-learning-rate", options.new_learning_rate,
               "With --resume: go on although the run had another --learning-rate")
      ->group("Files (one model, one seed)");

  try {
    require_entries(app, std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  options.models = chosen(names);
  options.balancing = chosen_balancing(loss_weight_names, balancer_names, balance_at(at));
  if (!early_stop.empty()) {
    stopping.stop_when = stop_when(early_stop);
    options.early_stop = stopping;
  }
  options.stitch = stitch_start(stitch);
  options.gate = gate_config(gate, selectors);
  if (!set.empty()) options.instruction_set = instruction_set(set);
  if (app.count("--precision") > 0) options.precision = reduced_precision(precision);
  const bool files = !options.save.empty() || !options.checkpoint_dir.empty();
  if (files && app.count("--seeds") == 0) options.seeds.resize(1);
  if (files && (options.models.size() != 1 || options.seeds.size() != 1))
    throw UsageError("--save and --checkpoint-dir: expected one model and one seed");
  if (files && options.balancing.size() != 1)
    throw UsageError(
        "--save and --checkpoint-dir: expected one method of --loss-weights or --balancer");
  options.tasks = task_columns(tasks);
  options.penalties = chosen_penalties(penalties);
  require_effect(app, options);
  options.run = run_text(app);
  options.rule = make_rule(optimizer, learning_rate);
  options.row_rule = make_row_rule(
      row_rule, row_learning_rate > 0 ? std::optional(row_learning_rate) : std::nullopt);
  const auto resize = [&](auto& data) {
    if (rows > 0) data.train_rows = rows;
    data.validation_rows = data.train_rows / 4;
    data.test_rows = data.train_rows / 2;
  };
  resize(options.stream);
  resize(options.synthetic);
  options.stream.seed = options.synthetic.seed;
  return options;
}

}  // namespace ranker
