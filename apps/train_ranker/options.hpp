// The command line.
#pragma once
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "balancing.hpp"
#include "click_stream.hpp"
#include "models.hpp"
#include "penalties.hpp"
#include "plait/core/instruction_set.hpp"
#include "plait/model/precision.hpp"
#include "plait/train/early_stopping.hpp"
#include "rule.hpp"
#include "synthetic.hpp"

namespace ranker {

struct Options {
  std::string data = "stream";  // or synthetic, or a file
  StreamConfig stream;
  SyntheticConfig synthetic;
  std::vector<plait::Head> tasks;  // columns of a file of raw rows
  std::string features;            // a file that describes its features; empty: inferred
  std::string describe;            // a file to write that to, and nothing more; empty: none
  std::string split_column;        // empty: by a hash
  std::vector<const ModelEntry*> models;
  Sizes sizes;
  plait::Stitch stitch = plait::Stitch::near_identity;
  plait::GateConfig gate{};
  std::vector<Balancing> balancing{{}};  // each trains every model, but for the baseline
  TaskWeights task_weights;
  std::vector<ChosenPenalty> penalties;
  plait::Rule<float> rule = make_rule("adam", 1e-3);
  plait::RowRule<float> row_rule = make_row_rule("rowwise_adagrad");
  std::optional<plait::EarlyStoppingOptions> early_stop;
  int epochs = 6;
  Index batch = 128;
  std::vector<std::uint64_t> seeds{1, 2, 3};
  Index threads = 1;
  plait::InstructionSet instruction_set = plait::most_instruction_set;  // at most
  std::string csv;                                                      // empty: no file
  std::string report;                                   // a page of HTML; empty: none
  plait::Precision precision = plait::Precision::full;  // another: what it costs is measured
  double precision_bound = 0.01;                        // percent of a task's loss

  // For one model, one method and one seed (the first when none was chosen).
  std::string save;            // model file; empty: none
  std::string checkpoint_dir;  // empty: no checkpoints
  Index checkpoint_every = 100;
  bool resume = false;
  bool new_learning_rate = false;  // of a run that is resumed
  std::string run;  // the options that a run to resume must share; not the number of epochs

  bool is_stream() const { return data == "stream"; }
  bool is_synthetic() const { return data == "synthetic"; }
  bool is_file() const { return !is_stream() && !is_synthetic(); }
};

// Nothing when help was asked for, which is then written to `out`. Throws UsageError.
std::optional<Options> parse_options(int argc, const char* const* argv, std::ostream& out);

}  // namespace ranker
