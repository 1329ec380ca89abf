#include "train.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"

namespace ranker {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::optional<Run> train(Learner& learner, const Dataset& data, const Schedule& schedule,
                         Monitor& monitor) {
  const auto rows = static_cast<Index>(data.train.size());
  plait::Random random(schedule.seed);
  std::vector<Index> order = data.train;
  plait::Tensor<float> x;
  plait::Tensor<float> labels;

  Run run;
  double best = -std::numeric_limits<double>::infinity();
  double seconds = 0;
  for (int number = 1; number <= schedule.epochs; ++number) {
    Epoch epoch;
    epoch.number = number;
    random.shuffle(order);
    monitor.begin_epoch(number, rows);
    const auto start = std::chrono::steady_clock::now();
    for (Index first = 0; first < rows; first += schedule.batch) {
      const Index count = std::min(schedule.batch, rows - first);
      const auto chosen = std::span(order).subspan(static_cast<std::size_t>(first),
                                                   static_cast<std::size_t>(count));
      x.resize(count, 1, data.features.input_dim());
      labels.resize(count, 1, data.labels.cols());
      gather(data.features, chosen, x);
      gather(data.labels, chosen, labels);
      epoch.loss += learner.step(x, labels) * static_cast<double>(count);
      if (!monitor.rows_done(first + count)) return std::nullopt;
    }
    const double epoch_seconds = seconds_since(start);
    seconds += epoch_seconds;

    epoch.loss /= static_cast<double>(rows);
    epoch.rows_per_second = static_cast<double>(rows) / epoch_seconds;
    epoch.validation = evaluate(learner, data, data.validation);
    epoch.total = total_value(data.heads, epoch.validation);
    epoch.best = epoch.total > best;
    if (epoch.best) {
      best = epoch.total;
      run.best_epoch = number;
      learner.keep();
    }
    monitor.end_epoch(epoch);
  }
  if (run.best_epoch > 0) learner.restore();
  run.test = evaluate(learner, data, data.test);
  run.seconds_per_epoch = seconds / schedule.epochs;
  run.rows_per_second = static_cast<double>(rows) / run.seconds_per_epoch;
  return run;
}

}  // namespace ranker
