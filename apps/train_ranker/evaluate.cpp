#include "evaluate.hpp"

#include <algorithm>
#include <cmath>

#include "batch.hpp"
#include "plait/core/error.hpp"
#include "plait/core/tensor.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/metrics/task_metrics.hpp"
#include "plait/train/trainer.hpp"

namespace ranker {
namespace {

constexpr Index tile = 1024;

// Of the labels that there are.
double variance(const Dataset& data, Index task, std::span<const Index> rows) {
  double count = 0;
  for (const Index row : rows) count += data.has_label(row, task) ? 1 : 0;
  double mean = 0;
  for (const Index row : rows)
    if (data.has_label(row, task)) mean += data.labels(row, task) / count;
  double sum = 0;
  for (const Index row : rows)
    if (data.has_label(row, task)) {
      const double difference = data.labels(row, task) - mean;
      sum += difference * difference;
    }
  return sum / count;
}

}  // namespace

std::vector<plait::MetricValue> measure(const char* who, const Score& score, const Dataset& data,
                                        std::span<const Index> rows) {
  plait::TaskMetrics metrics(data.heads);
  Batch batch(data);
  plait::Tensor<float> logits;
  const auto total = static_cast<Index>(rows.size());
  for (Index first = 0; first < total; first += tile) {
    const Index count = std::min(tile, total - first);
    const auto chosen =
        rows.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    batch.gather(chosen);
    logits.resize(count, 1, data.labels.cols());
    score(batch.x(), logits.view());
    if (!plait::kernels::all_finite<float>(logits.view()))
      throw plait::ValueError(who, "logits", "NaN or infinity", "finite numbers");
    metrics.add(logits.view(), batch.targets());
  }
  return metrics.values();
}

std::vector<TaskScore> evaluate(plait::Trainer<float>& trainer, const Dataset& data,
                                std::span<const Index> rows) {
  const auto values = measure(
      "Trainer",
      [&](const plait::BatchArgument<float>& x, plait::View3<float> logits) {
        trainer.score(x, logits);
      },
      data, rows);
  std::vector<TaskScore> scores(data.heads.size());
  for (std::size_t t = 0; t < scores.size(); ++t) {
    for (const auto& [task, name, value, better] : values) {
      if (task != data.heads[t].name) continue;
      if (name == "auc") scores[t].auc = value;
      if (name == "normalized_entropy") scores[t].ne = value;
      if (name == "mse") scores[t].mse = value;
    }
    scores[t].r2 = 1 - scores[t].mse / variance(data, static_cast<Index>(t), rows);
  }
  return scores;
}

double total_value(std::span<const plait::Head> heads, std::span<const TaskScore> scores) {
  double total = 0;
  for (std::size_t t = 0; t < heads.size(); ++t) {
    const double value = scores[t].value(heads[t].kind);
    if (!std::isnan(value)) total += value;
  }
  return total;
}

}  // namespace ranker
