// Who is told what training does, while it does it.
#pragma once
#include "dataset.hpp"
#include "results.hpp"

namespace plait {
struct Resumed;  // io/checkpoint.hpp
}

namespace ranker {

// What the loop tells while it runs.
class Monitor {
 public:
  virtual ~Monitor() = default;
  virtual void begin_epoch(int number, Index rows) = 0;
  // After every step; false ends the training.
  virtual bool rows_done(Index rows) = 0;
  virtual void end_epoch(const Epoch& epoch) = 0;
  // A run that was ended between two steps, with the weights of the best epoch so far (0: none was
  // finished, they are those of the last step).
  virtual void ended(int best_epoch) = 0;
  // A run that goes on from a checkpoint, or does not when there is none.
  virtual void resumed(const plait::Resumed& from) = 0;
};

}  // namespace ranker
