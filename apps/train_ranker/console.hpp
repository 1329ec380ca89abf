// What is shown while a model trains: a progress bar and a line per epoch.
#pragma once
#include <ostream>
#include <string>

#include "monitor.hpp"
#include "progress.hpp"

namespace ranker {

// One epoch's losses and validation metrics; then " *" for the best so far and " stop" for the last
// by early stopping.
std::string epoch_line(std::span<const plait::Head> heads, const Epoch& epoch, int epochs);

class Console final : public Monitor {
 public:
  // `label`, the model and the seed, begins every line. The referents must outlive the console.
  Console(std::ostream& out, Progress& progress, const Dataset& data, std::string label,
          int epochs);

  void begin_epoch(int number, Index rows) override;
  bool rows_done(Index rows) override;  // false after Ctrl-C
  void end_epoch(const Epoch& epoch) override;
  void ended(int best_epoch) override;
  void resumed(const plait::Resumed& from) override;

 private:
  std::ostream& out_;
  Progress& progress_;
  const Dataset& data_;
  std::string label_;
  int epochs_;
};

}  // namespace ranker
