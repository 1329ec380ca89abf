// All models and methods that were chosen, trained one after the other with every seed.
#pragma once
#include <string>
#include <vector>

#include "dataset.hpp"
#include "options.hpp"
#include "plait/io/checkpoint.hpp"
#include "report.hpp"
#include "trainee.hpp"

namespace ranker {

// What there is when all have trained, or Ctrl-C has ended them.
struct Comparison {
  std::vector<Result> results;        // of models with a run that was finished
  std::vector<std::string> failures;  // of runs: "mmoe, seed 2, epoch 3: why"
  bool interrupted = false;           // some runs were not finished
};

// Throws what the trainees' constructors do: before anything trains, sizes that fit no model are
// reported, not after the others have trained.
void require_trainable(const Options& options, TraineeOptions trainee_options);

// Trains on the data, tells on stdout and stderr how far it is, and writes the model of --save,
// when Ctrl-C ends a run as well. A run that fails, or whose model cannot be written, leaves the
// others alone. `checkpoints` may be null. Throws as train() does, but for RunError.
Comparison compare(const Options& options, const Dataset& data, TraineeOptions trainee_options,
                   plait::Checkpoints* checkpoints);

}  // namespace ranker
