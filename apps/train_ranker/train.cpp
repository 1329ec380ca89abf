#include "train.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "batch.hpp"
#include "best_tables.hpp"
#include "curve.hpp"
#include "errors.hpp"
#include "evaluate.hpp"
#include "plait/core/error.hpp"
#include "plait/core/random.hpp"
#include "plait/io/checksum.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"

namespace ranker {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

constexpr const char* run_note = "run";
constexpr const char* data_note = "data";

// A delta costs what has moved since the checkpoint before, and all of a chain is read to resume.
constexpr Index saves_per_full_checkpoint = 20;

// "--models=mmoe --levels=64,32" as its options.
std::vector<std::string_view> options_of(std::string_view run) {
  std::vector<std::string_view> options;
  while (!run.empty()) {
    const std::string_view option = run.substr(0, run.find(" --"));
    options.push_back(option);
    run.remove_prefix(std::min(run.size(), option.size() + 1));
  }
  return options;
}

// Those options of one run that the other does not have, as they may be shown; what is read may be
// anything.
std::string differing(const std::string& run, const std::string& other, bool new_learning_rate) {
  const auto of_other = options_of(other);
  std::string result;
  for (const std::string_view option : options_of(run)) {
    if (std::ranges::count(of_other, option) > 0) continue;
    if (new_learning_rate && option.starts_with("--learning-rate=")) continue;
    result.append(result.empty() ? "" : " ").append(plait::shown(option, 200));
  }
  return plait::shown(result, 400);
}

// Of the newest checkpoint that can be read; what cannot is reported by those who resume. Before
// anything else is compared: another run may have another optimizer or method.
void require_run(const Checkpointing& from, const std::string& data) {
  const auto paths = from.checkpoints->paths();
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    std::string run, its_data = "none";
    try {
      const plait::SealedReader file{plait::SafetensorsReader(*path)};
      run = file.meta(run_note);
      if (const std::string* noted = file.header().meta(data_note)) its_data = *noted;
    } catch (const plait::Error&) {
      continue;
    }
    const std::string got = differing(run, from.run, from.new_learning_rate);
    const std::string expected = differing(from.run, run, from.new_learning_rate);
    if (!got.empty() || !expected.empty())
      throw UsageError("--resume: " + *path + " is of another run: got " +
                       (got.empty() ? "none" : got) + ", expected " +
                       (expected.empty() ? "none" : expected));
    if (its_data != data)
      throw UsageError("--resume: " + *path + " is of other rows or features: got those of hash " +
                       plait::shown(its_data, 20) + ", expected " + data);
    return;
  }
}

// What a checkpoint says and the library cannot know to be wrong. Throws UsageError.
void require_place(const plait::Progress<float>& progress, const std::string& path, Index rows,
                   Index batch) {
  const auto require = [&](bool holds, const char* what, Index got) {
    if (!holds)
      throw UsageError("--resume: " + path + ": " + what + ": got " + std::to_string(got) +
                       ", expected one that a run has");
  };
  require(progress.step <= (rows + batch - 1) / batch, "step", progress.step);
  require(progress.epoch <= std::numeric_limits<int>::max(), "epoch", progress.epoch);
  if (progress.best)
    require(progress.best->epoch >= 1 && progress.best->epoch <= progress.epoch, "best epoch",
            progress.best->epoch);
}

// What TaskScore::value gives: higher is better for AUC and R^2 alike.
std::optional<plait::EarlyStopping> early_stopping(const Dataset& data, const Schedule& schedule) {
  if (!schedule.early_stop) return std::nullopt;
  return plait::EarlyStopping(std::vector<plait::Watch>(data.heads.size()), *schedule.early_stop);
}

// What the library refuses of a run's own numbers, with the epoch in which it did.
template <class Action>
auto in_epoch(Index number, const Action& action) {
  try {
    return action();
  } catch (const plait::Error& error) {
    throw RunError("epoch " + std::to_string(number) + ": " + error.what());
  }
}

}  // namespace

std::optional<Run> train(plait::Trainer<float>& trainer, Method& method, const Dataset& data,
                         const Schedule& schedule, Monitor& monitor,
                         const Checkpointing& checkpointing,
                         plait::EmbeddingTables<float>* tables) {
  const auto rows = static_cast<Index>(data.train.size());
  plait::Progress<float> progress{.random = plait::Random(schedule.seed), .order = data.train};
  progress.notes[run_note] = checkpointing.run;
  progress.notes[data_note] = plait::hex(data.fingerprint);
  auto stopping = early_stopping(data, schedule);
  std::array<double, 1> loss{};  // the sum over the rows of the epoch so far
  std::vector<double> curve;     // of the epochs so far
  plait::CheckpointParts<float> parts = method.parts();
  if (trainer.penalties() != nullptr) parts.push_back({"penalties", *trainer.penalties()});
  parts.push_back({"loss", loss});
  if (stopping) parts.push_back({"early_stopping", *stopping});
  parts.push_back({"curve", curve});
  BestTables best_tables(tables, checkpointing.checkpoints);
  Run run;
  run.seed = schedule.seed;
  if (checkpointing.resume) {
    require_run(checkpointing, progress.notes[data_note]);
    plait::ResumeOptions options;
    if (checkpointing.new_learning_rate) options.may_differ = {"learning_rate*"};
    const auto resumed = checkpointing.checkpoints->resume(trainer, progress, parts, options);
    require_place(progress, resumed.path, rows, schedule.batch);
    run.curve = curve_of(curve, progress.epoch, data.heads.size(), resumed.path);
    run.epochs = static_cast<int>(progress.epoch);
    if (progress.best) best_tables.resume(progress.notes, resumed.path);
    progress.notes[run_note] = checkpointing.run;
    monitor.resumed(resumed);
  }
  Batch batch(data);
  const auto load_best = [&] {
    trainer.load(progress.best->values);
    best_tables.load();
  };
  Index saved = 0;  // in this process
  const auto save = [&] {
    plait::Checkpoints& checkpoints = *checkpointing.checkpoints;
    if (saved++ % saves_per_full_checkpoint == 0)
      checkpoints.save(trainer, progress, parts);
    else
      checkpoints.save_delta(trainer, progress, parts);
    best_tables.remove_unnamed(progress.notes);
  };

  double seconds = 0;
  Index trained = 0;  // rows, in this process
  for (; progress.epoch < schedule.epochs; ++progress.epoch) {
    Epoch epoch;
    epoch.number = static_cast<int>(progress.epoch) + 1;
    // A checkpoint is taken after a step, so that one of step 0 does not exist.
    if (progress.step == 0) {
      progress.random.shuffle(progress.order);
      loss.front() = 0;
    }
    monitor.begin_epoch(epoch.number, rows);
    const Index trained_before = trained;
    const auto start = std::chrono::steady_clock::now();
    for (Index first = progress.step * schedule.batch; first < rows; first += schedule.batch) {
      const Index count = std::min(schedule.batch, rows - first);
      const auto chosen =
          std::span(progress.order)
              .subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
      batch.gather(chosen);
      const double mean =
          in_epoch(epoch.number, [&] { return method.step(trainer, batch.x(), batch.targets()); });
      loss.front() += mean * static_cast<double>(count);
      trained += count;
      ++progress.step;
      const bool goes_on = monitor.rows_done(first + count);
      if (checkpointing.checkpoints != nullptr &&
          (!goes_on || progress.step % checkpointing.every == 0))
        save();
      if (goes_on) continue;
      if (progress.best) load_best();
      monitor.ended(progress.best ? static_cast<int>(progress.best->epoch) : 0);
      return std::nullopt;
    }
    const double epoch_seconds = seconds_since(start);
    seconds += epoch_seconds;
    progress.step = 0;
    method.end_epoch();

    epoch.loss = loss.front() / static_cast<double>(rows);
    epoch.rows_per_second = static_cast<double>(trained - trained_before) / epoch_seconds;
    epoch.validation =
        in_epoch(epoch.number, [&] { return evaluate(trainer, data, data.validation); });
    epoch.total = total_value(data.heads, epoch.validation);
    epoch.best = !progress.best ? epoch.total > -std::numeric_limits<double>::infinity()
                                : epoch.total > progress.best->metric;
    if (epoch.best) {
      progress.best = plait::Best<float>{epoch.total, epoch.number, trainer.model().values()};
      best_tables.keep(trainer.model(), progress.notes);
    }
    if (stopping) {
      std::vector<double> values;
      for (std::size_t t = 0; t < data.heads.size(); ++t)
        values.push_back(epoch.validation[t].value(data.heads[t].kind));
      stopping->update(values);
      epoch.stop = stopping->stop();
    }
    run.epochs = epoch.number;
    monitor.end_epoch(epoch);
    add_to(curve, epoch);
    run.curve.push_back(std::move(epoch));
    if (run.curve.back().stop) break;
  }
  if (progress.best) {
    run.best_epoch = static_cast<int>(progress.best->epoch);
    load_best();
  }
  run.test = in_epoch(run.best_epoch, [&] { return evaluate(trainer, data, data.test); });
  run.rows_per_second = trained > 0 ? static_cast<double>(trained) / seconds : 0;
  run.seconds_per_epoch = trained > 0 ? static_cast<double>(rows) / run.rows_per_second : 0;
  return run;
}

}  // namespace ranker
