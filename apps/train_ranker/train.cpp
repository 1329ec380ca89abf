#include "train.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "errors.hpp"
#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"

namespace ranker {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The sum of the losses of the epoch so far is part of a checkpoint, by its bits.
constexpr const char* loss_note = "loss";
constexpr const char* run_note = "run";
constexpr const char* stopping_numbers = "early_stopping";

double stored_loss(const plait::Progress<float>& progress) {
  return std::bit_cast<double>(
      static_cast<std::uint64_t>(std::stoull(progress.notes.at(loss_note))));
}

void resume(Learner& learner, const Checkpointing& from, plait::Progress<float>& progress,
            Monitor& monitor) {
  const auto resumed = learner.resume(*from.checkpoints, progress);
  if (resumed && progress.notes[run_note] != from.run)
    throw UsageError("--resume: " + resumed.path + " is of another run: got " +
                     progress.notes[run_note] + ", expected " + from.run);
  if (resumed) learner.resume_method(progress);
  monitor.resumed(resumed);
}

// What TaskScore::value gives: higher is better for AUC and R^2 alike.
std::optional<plait::EarlyStopping> early_stopping(const Dataset& data, const Schedule& schedule,
                                                   const plait::Progress<float>& progress) {
  if (!schedule.early_stop) return std::nullopt;
  plait::EarlyStopping result(std::vector<plait::Watch>(data.heads.size()), *schedule.early_stop);
  const auto stored = progress.numbers.find(stopping_numbers);
  if (stored != progress.numbers.end()) result.restore(stored->second);
  return result;
}

}  // namespace

std::optional<Run> train(Learner& learner, const Dataset& data, const Schedule& schedule,
                         Monitor& monitor, const Checkpointing& checkpointing) {
  const auto rows = static_cast<Index>(data.train.size());
  plait::Progress<float> progress{.random = plait::Random(schedule.seed), .order = data.train};
  if (checkpointing.resume) resume(learner, checkpointing, progress, monitor);
  auto stopping = early_stopping(data, schedule, progress);
  plait::Tensor<float> x;
  plait::Tensor<float> labels;

  Run run;
  run.seed = schedule.seed;
  double seconds = 0;
  Index trained = 0;  // rows, in this process
  for (; progress.epoch < schedule.epochs; ++progress.epoch) {
    Epoch epoch;
    epoch.number = static_cast<int>(progress.epoch) + 1;
    // A checkpoint is taken after a step, so that one of step 0 does not exist.
    if (progress.step == 0)
      progress.random.shuffle(progress.order);
    else
      epoch.loss = stored_loss(progress);
    monitor.begin_epoch(epoch.number, rows);
    const Index trained_before = trained;
    const auto start = std::chrono::steady_clock::now();
    for (Index first = progress.step * schedule.batch; first < rows; first += schedule.batch) {
      const Index count = std::min(schedule.batch, rows - first);
      const auto chosen =
          std::span(progress.order)
              .subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
      x.resize(count, 1, data.features.input_dim());
      labels.resize(count, 1, data.labels.cols());
      gather(data.features, chosen, x);
      gather(data.labels, chosen, labels);
      epoch.loss += learner.step(x, labels) * static_cast<double>(count);
      trained += count;
      ++progress.step;
      if (checkpointing.checkpoints != nullptr && progress.step % checkpointing.every == 0) {
        progress.notes = {{run_note, checkpointing.run},
                          {loss_note, std::to_string(std::bit_cast<std::uint64_t>(epoch.loss))}};
        learner.save_checkpoint(*checkpointing.checkpoints, progress);
      }
      if (!monitor.rows_done(first + count)) return std::nullopt;
    }
    const double epoch_seconds = seconds_since(start);
    seconds += epoch_seconds;
    progress.step = 0;
    learner.end_epoch();

    epoch.loss /= static_cast<double>(rows);
    epoch.rows_per_second = static_cast<double>(trained - trained_before) / epoch_seconds;
    epoch.validation = evaluate(learner, data, data.validation);
    epoch.total = total_value(data.heads, epoch.validation);
    epoch.best = !progress.best ? epoch.total > -std::numeric_limits<double>::infinity()
                                : epoch.total > progress.best->metric;
    if (epoch.best) {
      progress.best = plait::Best<float>{epoch.total, epoch.number, {}};
      learner.keep();
    }
    if (stopping) {
      std::vector<double> values;
      for (std::size_t t = 0; t < data.heads.size(); ++t)
        values.push_back(epoch.validation[t].value(data.heads[t].kind));
      stopping->update(values);
      progress.numbers[stopping_numbers] = stopping->state();
      epoch.stop = stopping->stop();
    }
    run.epochs = epoch.number;
    monitor.end_epoch(epoch);
    run.curve.push_back(std::move(epoch));
    if (run.curve.back().stop) break;
  }
  if (progress.best) {
    run.best_epoch = static_cast<int>(progress.best->epoch);
    learner.restore();
  }
  run.test = evaluate(learner, data, data.test);
  run.rows_per_second = trained > 0 ? static_cast<double>(trained) / seconds : 0;
  run.seconds_per_epoch = trained > 0 ? static_cast<double>(rows) / run.rows_per_second : 0;
  return run;
}

}  // namespace ranker
