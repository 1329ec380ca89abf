// online_learning: a model that learns while it serves, beside one that does not. See --help.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "plait/core/error.hpp"
#include "run.hpp"

namespace online {
namespace {

int run_program(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Scores a stream of impressions whose tasks drift, trains on their labels as they come in\n"
      "the background and publishes the model to the scoring thread. Prints how well it predicts\n"
      "beside a model that stays as it was when the drift began.",
      "online_learning");
  const auto count = CLI::Range(1, 1 << 30);
  app.add_option("--impressions", options.impressions, "Impressions under drift")
      ->check(count)
      ->capture_default_str();
  app.add_option("--first", options.first, "Impressions before it, which train both models")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  app.add_option("--turn", options.turn, "Radians by which the tasks' directions turn in all")
      ->capture_default_str();
  app.add_option("--delay", options.delay, "Rounds at most until labels come")
      ->check(count)
      ->capture_default_str();
  app.add_option("--round", options.round, "Impressions of a round")
      ->check(count)
      ->capture_default_str();
  app.add_option("--publish-every", options.learner.publish_every, "Steps between publications")
      ->check(count)
      ->capture_default_str();
  app.add_option("--batch", options.learner.batch, "Impressions of a step of training")
      ->check(count)
      ->capture_default_str();
  app.add_option("--learning-rate", options.learner.learning_rate, "Of Adam")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of the stream, the delays and the model")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return 0;
  }
  if (options.round % options.request != 0 || options.impressions < options.round)
    throw CLI::ValidationError("--round", "expected a multiple of " +
                                              std::to_string(options.request) +
                                              ", and no more than --impressions");
  print(run(options), std::cout);
  return 0;
}

}  // namespace
}  // namespace online

int main(int argc, char** argv) {
  try {
    return online::run_program(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "online_learning: " << plait::shown(error.what()) << '\n';
    return 2;
  }
}
