#include "effect.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include "errors.hpp"

namespace ranker {
namespace {

bool any_model(const Options& options, std::initializer_list<std::string_view> names) {
  return std::ranges::any_of(options.models, [&](const ModelEntry* model) {
    return std::ranges::find(names, model->name) != names.end();
  });
}

bool any_loss_weights(const Options& options, std::initializer_list<std::string_view> names) {
  return std::ranges::any_of(options.balancing, [&](const Balancing& balancing) {
    return std::ranges::find(names, balancing.loss_weights) != names.end();
  });
}

bool any_balancer(const Options& options) {
  return std::ranges::any_of(
      options.balancing, [](const Balancing& balancing) { return !balancing.balancer.empty(); });
}

}  // namespace

void require_entries(const CLI::App& app, std::span<const char* const> arguments) {
  const CLI::Option* option = nullptr;  // whose values follow
  for (const std::string_view argument : arguments) {
    std::string_view value = argument;
    if (argument.starts_with("--")) {
      const auto equals = std::min(argument.find('='), argument.size());
      option = app.get_option_no_throw(std::string(argument.substr(0, equals)));
      value.remove_prefix(std::min(equals + 1, argument.size()));
    }
    if (option == nullptr || option->get_delimiter() == '\0' || value.empty()) continue;
    if (value.front() == ',' || value.back() == ',' || value.find(",,") != std::string_view::npos)
      throw UsageError(option->get_name() + ": got " + std::string(value) +
                       ", expected no empty entry");
  }
}

void require_effect(const CLI::App& app, const Options& options) {
  for (auto seed = options.seeds.begin(); seed != options.seeds.end(); ++seed)
    if (std::find(options.seeds.begin(), seed, *seed) != seed)
      throw UsageError("--seeds: got " + std::to_string(*seed) + " twice, expected it once");

  // Each option with what it needs.
  struct Need {
    std::string_view option;  // or one and an entry of it
    bool met;
    const char* what;
  };
  const bool sharing = std::ranges::any_of(
      options.models, [](const ModelEntry* model) { return model->name != baseline; });
  const bool shared_experts = any_model(options, {"cgc", "ple", "adatt"});
  const bool gates = shared_experts || any_model(options, {"mmoe", "ml-mmoe", "adatt-sp"});
  const bool experts = gates || any_model(options, {"snr-trans", "snr-aver", "branch"});
  const auto penalised = [&](std::string_view name) {
    return std::ranges::any_of(options.penalties,
                               [&](const ChosenPenalty& chosen) { return chosen.name == name; });
  };
  const bool synthetic = options.is_synthetic();
  const bool ids = options.is_stream() || !options.tasks.empty();
  for (const Need& need : std::initializer_list<Need>{
           {"--experts", experts,
            "a model with experts (mmoe, ml-mmoe, cgc, ple, adatt-sp, adatt, snr-trans, snr-aver, "
            "branch)"},
           {"--shared-experts", shared_experts, "cgc, ple or adatt"},
           {"--gate", gates, "a model with gates (mmoe, ml-mmoe, cgc, ple, adatt-sp, adatt)"},
           {"--selectors", options.gate.dselect.has_value(), "--gate dselect or dselect-static"},
           {"--stitch", any_model(options, {"cross-stitch"}), "cross-stitch"},
           {"--penalties l0", !penalised("l0") || any_model(options, {"snr-trans", "snr-aver"}),
            "snr-trans or snr-aver"},
           {"--penalties adashare", !penalised("adashare") || any_model(options, {"adashare"}),
            "adashare"},
           {"--patience", options.early_stop.has_value(), "--early-stop"},
           {"--precision-bound", options.precision != plait::Precision::full, "--precision"},
           {"--loss-weights", sharing, "a model other than single-task"},
           {"--balancer", sharing, "a model other than single-task"},
           {"--balance-at", any_balancer(options), "--balancer"},
           {"--task-weights", any_loss_weights(options, {"static", "scheduled"}),
            "--loss-weights static or scheduled"},
           {"--task-factors", any_loss_weights(options, {"scheduled"}), "--loss-weights scheduled"},
           {"--correlation", synthetic, "--data synthetic"},
           {"--noise", synthetic, "--data synthetic"},
           {"--rows", !options.is_file(), "--data stream or synthetic"},
           {"--inputs", synthetic, "--data synthetic"},
           {"--data-seed", !options.is_file(), "--data stream or synthetic"},
           {"--tasks", options.is_file(), "--data and a file"},
           {"--features", !options.tasks.empty(), "--tasks"},
           {"--describe", !options.tasks.empty(), "--tasks"},
           {"--describe", options.features.empty(), "no --features"},
           {"--split-column", !options.tasks.empty(), "--tasks"},
           {"--row-rule", ids, "--data stream or --tasks"},
           {"--row-learning-rate", ids, "--data stream or --tasks"},
           {"--new-learning-rate", options.resume, "--resume"},
           {"--resume", !options.checkpoint_dir.empty(), "--checkpoint-dir"},
           {"--checkpoint-every", !options.checkpoint_dir.empty(), "--checkpoint-dir"}})
    if (!need.met && app.count(std::string(need.option.substr(0, need.option.find(' ')))) > 0)
      throw UsageError(std::string(need.option) + ": expected " + need.what + " with it");
}

}  // namespace ranker
