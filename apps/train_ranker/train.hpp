// The training loop: epochs over shuffled rows, the best epoch kept, its weights tested.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "dataset.hpp"
#include "method.hpp"
#include "monitor.hpp"
#include "plait/io/checkpoint.hpp"
#include "plait/train/early_stopping.hpp"
#include "plait/train/trainer.hpp"
#include "results.hpp"

namespace plait {
template <class Scalar>
class EmbeddingTables;
}

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
  std::string run = {};            // the options that a run that goes on must have in common
  bool new_learning_rate = false;  // but for --learning-rate
};

// Trains with a method, and tests the epoch with the largest total_value on the validation rows
// (the first of equals), whose values the model ends with. Nothing when the monitor ended it: a
// checkpoint of the last step is then written, and the model has the values of the best epoch so
// far, if there is one. A run that goes on from a checkpoint ends in the same weights, curve and
// scores as one that was never stopped. Throws RunError when a loss, a gradient, a weight or a
// prediction is NaN or infinite, UsageError for a checkpoint of another run, rows or features, and
// as plait::Checkpoints does. `tables` are the trainer's, where the data have ids: their values of
// the best epoch are kept as well (best_tables.hpp), in memory for them a second time.
std::optional<Run> train(plait::Trainer<float>& trainer, Method& method, const Dataset& data,
                         const Schedule& schedule, Monitor& monitor,
                         const Checkpointing& checkpointing = {},
                         plait::EmbeddingTables<float>* tables = nullptr);

}  // namespace ranker
