// The training loop: epochs over shuffled rows, the best epoch kept, its weights tested.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataset.hpp"
#include "evaluate.hpp"
#include "method.hpp"
#include "plait/io/checkpoint.hpp"
#include "plait/train/early_stopping.hpp"
#include "plait/train/trainer.hpp"

namespace ranker {

struct Schedule {
  int epochs = 6;
  Index batch = 128;
  std::uint64_t seed = 1;  // of the order of the rows
  // Watches every task's TaskScore::value on the validation rows; none: all epochs.
  std::optional<plait::EarlyStoppingOptions> early_stop = {};
};

struct Checkpointing {
  plait::Checkpoints* checkpoints = nullptr;  // where to; null: none
  Index every = 100;                          // steps
  bool resume = false;                        // go on from the newest one
  std::string run = {};                       // what a run that goes on must have in common
};

struct Epoch {
  int number = 0;   // from 1
  double loss = 0;  // mean over the epoch's rows
  std::vector<TaskScore> validation;
  double total = 0;   // total_value(validation)
  bool best = false;  // the largest total so far
  bool stop = false;  // the last one, by early stopping
  double rows_per_second = 0;
};

// What the loop tells while it runs.
class Monitor {
 public:
  virtual ~Monitor() = default;
  virtual void begin_epoch(int number, Index rows) = 0;
  // After every step; false ends the training.
  virtual bool rows_done(Index rows) = 0;
  virtual void end_epoch(const Epoch& epoch) = 0;
  // A run that goes on from a checkpoint, or does not when there is none.
  virtual void resumed(const plait::Resumed& from) = 0;
};

struct Run {
  std::uint64_t seed = 0;    // as scheduled
  std::vector<Epoch> curve;  // of this process: one that resumed begins later
  int best_epoch = 0;
  int epochs = 0;                // until early stopping
  std::vector<TaskScore> test;   // of the best epoch's weights
  double seconds_per_epoch = 0;  // of training, without evaluation
  double rows_per_second = 0;
};

// Trains with a method, and tests the epoch with the largest total_value on the validation rows
// (the first of equals), whose values the model ends with. Nothing when the monitor ended it. A run
// that goes on from a checkpoint ends in the same weights and scores as one that was never stopped.
// Throws UsageError for a checkpoint of another run, and as plait::Checkpoints does.
std::optional<Run> train(plait::Trainer<float>& trainer, Method& method, const Dataset& data,
                         const Schedule& schedule, Monitor& monitor,
                         const Checkpointing& checkpointing = {});

}  // namespace ranker
