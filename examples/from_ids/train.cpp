#include "train.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <span>

#include "chosen_rows.hpp"

namespace from_ids {
namespace {

std::vector<plait::MetricValue> evaluate(plait::Trainer<float>& trainer, const Dataset& data,
                                         const ChosenRows& rows) {
  plait::Matrix<float> logits(rows.size(), std::ssize(data.heads));
  trainer.score(rows.batch(), logits);
  plait::TaskMetrics metrics(data.heads);
  metrics.add(logits, plait::Targets<float>{.labels = rows.labels()});
  auto values = plait::first_of_each_task(metrics.values());
  for (plait::MetricValue& value : values)
    if (value.name == "mse") value.value *= data.regression_unit * data.regression_unit;
  return values;
}

double sum_of(const std::vector<plait::MetricValue>& values) {
  double sum = 0;
  for (const plait::MetricValue& value : values)
    sum += value.better == plait::Better::lower ? -value.value : value.value;
  return sum;
}

}  // namespace

Run train(const ModelEntry& entry, Sizes sizes, Dataset& data, const Training& training,
          std::uint64_t seed) {
  plait::EmbeddingTables<float> tables(data.encoder.embeddings(), seed);
  sizes.input_dim = tables.width();
  sizes.num_tasks = std::ssize(data.heads);
  plait::Model<float> model(entry.trunk(sizes), {.hidden = {{32}}}, seed);
  plait::TableOptimizer<float> rows_of_tables(tables, training.row_rule);
  plait::Trainer<float> trainer(model, rows_of_tables, data.heads,
                                plait::Adam{.learning_rate = 1e-3});

  const ChosenRows validation(data, data.validation), test(data, data.test);
  ChosenRows chosen(data);
  plait::Random random(seed);
  std::vector<Index> order = data.train;
  const Index rows = std::ssize(order);
  double best = -std::numeric_limits<double>::infinity();
  std::chrono::duration<double> seconds{};
  Run run;
  for (Index epoch = 0; epoch < training.epochs; ++epoch) {
    const auto start = std::chrono::steady_clock::now();
    random.shuffle(order);
    for (Index first = 0; first < rows; first += training.batch) {
      const Index count = std::min(training.batch, rows - first);
      chosen.choose(std::span(order).subspan(static_cast<std::size_t>(first),
                                             static_cast<std::size_t>(count)));
      trainer.step(chosen.batch(), chosen.labels());
    }
    seconds += std::chrono::steady_clock::now() - start;
    if (const double sum = sum_of(evaluate(trainer, data, validation)); sum > best) {
      best = sum;
      run.test = evaluate(trainer, data, test);
    }
  }
  run.seconds_per_epoch = seconds.count() / static_cast<double>(training.epochs);
  return run;
}

}  // namespace from_ids
