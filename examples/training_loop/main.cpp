// A run of training as a whole: rows in three parts, a schedule, validation after every epoch,
// early stopping on both tasks, checkpoints from which a killed run goes on, the best epoch tested
// and saved.
//
//   training_loop [DIRECTORY]
#include <algorithm>
#include <cstdio>
#include <numeric>
#include <plait/io.hpp>
#include <plait/plait.hpp>
#include <span>
#include <string>
#include <vector>

namespace {

using plait::Index;

constexpr Index features = 16, epochs = 40, batch = 128;
const std::vector<plait::Head> heads{{.name = "click"},
                                     {.kind = plait::HeadKind::regression, .name = "watch"}};

// Rows and a column of labels per head.
struct Data {
  plait::Matrix<float> x, labels;
  Index rows() const { return x.rows(); }
};

// In place of your rows: two tasks that have something in common, and noise.
Data read_rows(Index rows) {
  plait::Random random(1);
  Data all{plait::Matrix<float>(rows, features), plait::Matrix<float>(rows, 2)};
  for (Index b = 0; b < rows; ++b) {
    for (Index d = 0; d < features; ++d) all.x(b, d) = static_cast<float>(random.normal());
    const float interest = all.x(b, 0) * all.x(b, 1) + all.x(b, 2);
    all.labels(b, 0) = interest + static_cast<float>(random.normal()) > 0 ? 1.0F : 0.0F;
    all.labels(b, 1) = interest - all.x(b, 3) + static_cast<float>(random.normal());
  }
  return all;
}

Data choose(const Data& all, std::span<const Index> rows) {
  Data chosen{plait::Matrix<float>(std::ssize(rows), all.x.cols()),
              plait::Matrix<float>(std::ssize(rows), all.labels.cols())};
  for (Index b = 0; b < chosen.rows(); ++b) {
    chosen.x.row(b) = all.x.row(rows[static_cast<std::size_t>(b)]);
    chosen.labels.row(b) = all.labels.row(rows[static_cast<std::size_t>(b)]);
  }
  return chosen;
}

// Every metric of every task, of the model as it is now.
std::vector<plait::MetricValue> evaluate(plait::Trainer<float>& trainer, const Data& data) {
  plait::Matrix<float> logits(data.rows(), trainer.model().out_shape().dim);
  trainer.score(data.x, logits);
  plait::TaskMetrics metrics(heads);
  metrics.add(logits, plait::Targets<float>{.labels = data.labels});
  return metrics.values();
}

void print(const std::vector<plait::MetricValue>& values) {
  for (const auto& [task, name, value, better] : values)
    std::printf("  %s %s %.4f", task.c_str(), name.c_str(), value);
}

void run(const std::string& directory) {
  // Rows to train on, to choose an epoch by, and to judge it by.
  const Data all = read_rows(6000);
  std::vector<Index> order(static_cast<std::size_t>(all.rows()));
  std::iota(order.begin(), order.end(), Index{0});
  plait::Random(2).shuffle(order);
  const Data validation = choose(all, std::span(order).subspan(4000, 1000));
  const Data test = choose(all, std::span(order).last(1000));
  order.resize(4000);

  plait::Model<float> model(
      plait::AdaTT{.input_dim = features, .num_tasks = 2, .levels = {{32}, {16}}},
      {.hidden = {{8}}}, /*seed=*/1);
  const Index rows = std::ssize(order);
  const Index steps = (rows + batch - 1) / batch;  // of an epoch
  plait::Trainer trainer(
      model, heads, plait::Adam{.learning_rate = 5e-3},
      {.optimizer = {.schedule =
                         plait::Schedule::cosine(epochs * steps, 0.05).with_warmup(steps)}});

  // Gains count in units that are worth the same: 0.01 of AUC, 0.05 of MSE.
  plait::EarlyStopping stopping({{.better = plait::Better::higher, .unit = 0.01},
                                 {.better = plait::Better::lower, .unit = 0.05}},
                                {.patience = 4});

  // What a run carries from epoch to epoch, and every checkpoint with it.
  plait::Progress<float> progress{.random = plait::Random(3), .order = order};
  const plait::CheckpointParts<float> parts{{"stopping", stopping}};
  plait::Checkpoints checkpoints(directory);
  if (const auto resumed = checkpoints.resume(trainer, progress, parts))
    std::printf("goes on after epoch %td, from %s\n", progress.epoch, resumed.path.c_str());

  while (progress.epoch < epochs && !stopping.stop()) {
    progress.random.shuffle(progress.order);
    double loss = 0;
    for (Index first = 0; first < rows; first += batch) {
      const Index count = std::min(batch, rows - first);
      const Data data = choose(
          all, std::span(progress.order)
                   .subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)));
      loss += trainer.step(data.x, data.labels) * static_cast<double>(count);
    }
    ++progress.epoch;

    // AUC of the clicks and MSE of the watch time, which come first of their task's metrics.
    const auto values = plait::first_of_each_task(evaluate(trainer, validation));
    const bool is_best = stopping.update(values);
    if (is_best) progress.best = {stopping.best_sum(), progress.epoch, model.values()};
    std::printf("epoch %2td  loss %.4f", progress.epoch, loss / static_cast<double>(rows));
    print(values);
    std::printf("%s\n", is_best ? "  best" : "");
    checkpoints.save(trainer, progress, parts);
  }

  if (progress.best) {
    trainer.load(progress.best->values);
    std::printf("epoch %td on the rows of the test:", progress.best->epoch);
  }
  print(evaluate(trainer, test));
  const std::string path = directory + "/ranker.safetensors";
  plait::save(model, path, {.heads = heads}, /*self_test_x=*/test.x.topRows(8));
  std::printf("\nsaved %s\n", path.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? argv[1] : "training_loop_run");
  } catch (const plait::Error& error) {  // a file's, say; it names what is wrong and where
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
