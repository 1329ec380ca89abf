// What a mutation of the trainer must make fail: the tasks' gradients against the plain one, and
// expert dropout.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "mutation/checks.hpp"
#include "plait/architectures/adatt.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/architectures/snr.hpp"
#include "plait/fusion/dropout.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/penalties/norms.hpp"
#include "plait/penalties/penalties.hpp"
#include "plait/train/asynchronous_updates.hpp"
#include "plait/train/trainer.hpp"
#include "support/data.hpp"

namespace {

using namespace plait;

struct Run {
  explicit Run(TrainerOptions options)
      : trainer(model,
                {{}, {.kind = HeadKind::regression}, {.kind = HeadKind::conditional, .given = 0}},
                SGD{.learning_rate = 0.1}, options) {}
  // A task alone, or all of them with task = -1.
  ParamBuffer<double> gradient(Index task) {
    Matrix<double> mask = Matrix<double>::Constant(labels.rows(), 3, task < 0 ? 1 : 0);
    if (task >= 0) mask.col(task).setOnes();
    trainer.compute_gradient(x, {labels, mask});
    return trainer.gradient();
  }
  std::vector<ParamBuffer<double>> task_gradients(Index without = -1) {
    Matrix<double> mask = Matrix<double>::Ones(labels.rows(), 3);
    if (without >= 0) mask.col(without).setZero();
    trainer.compute_task_gradients(x, {labels, mask});
    return {trainer.task_gradients().begin(), trainer.task_gradients().end()};
  }

  Matrix<double> x = data::normal<double>(30, 5, 1);
  Matrix<double> labels = data::binary<double>(30, 3, 2);
  Model<double> model{
      AdaTT{.input_dim = 5, .num_tasks = 3, .levels = {{4}, {3}}, .task_experts = {2}}, {}, 1};
  Trainer<double> trainer;
};

bool close(const ParamBuffer<double>& a, const ParamBuffer<double>& b) {
  return std::ranges::equal(a.flat(), b.flat(),
                            [](double x, double y) { return std::abs(x - y) < 1e-12; });
}

// Three batches whose labels are half missing, moved by hand from every task's own gradient.
std::string wrong_updates(const Matrix<double>& x, const Matrix<double>& labels) {
  const auto model = [] {
    return Model<double>(SharedBottom{.input_dim = 5, .num_tasks = 2, .expert = {4}}, {}, 1);
  };
  Model<double> moved = model(), known = model();
  const std::vector<Head> heads(2);
  Trainer<double> trainer(moved, heads, Adam{.learning_rate = 0.1});
  Trainer<double> gradients(known, heads, SGD{});
  Optimizer<double> alone(known.values().shared_table(), Adam{.learning_rate = 0.1});
  AsynchronousUpdates<double> updates(moved.values().shared_table(), trainer.reach(),
                                      {.shared_samples = 30, .task_samples = {50, 20}});
  ParamBuffer<double> sums(known.values().shared_table()), mean = sums, values = known.values();
  std::vector<double> seen(3, 0.0);
  std::vector<Index> moves(3, 0);
  const auto& entries = sums.table().entries();
  std::vector<Index> numbers(entries.size());
  const auto owner = [&](std::size_t i) {
    for (std::size_t t = 0; t < 2; ++t)
      if (entries[i].name.starts_with("task_modules." + std::to_string(t))) return t;
    return std::size_t{2};
  };
  for (int step = 0; step < 6; ++step) {
    Matrix<double> mask(30, 2);
    for (Index b = 0; b < 30; ++b)
      for (Index t = 0; t < 2; ++t) mask(b, t) = (b + t + step) % 3 > t ? 1 : 0;
    const Matrix<double> two = labels.leftCols(2);
    trainer.step(x, {two, mask}, updates);
    gradients.load(values);
    gradients.compute_task_gradients(x, {two, mask});
    for (std::size_t t = 0; t < 2; ++t) {
      const double labelled = mask.col(static_cast<Index>(t)).sum();
      seen[t] += labelled;
      for (std::size_t k = 0; k < sums.flat().size(); ++k)
        sums.flat()[k] += labelled * gradients.task_gradients()[t].flat()[k];
    }
    seen[2] += 30;
    const std::vector<double> needed{50, 20, 30};
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::size_t p = owner(i);
      const bool due = seen[p] >= needed[p];
      numbers[i] = due ? moves[p] + 1 : 0;
      for (std::size_t k = 0; due && k < sums.of(entries[i].id).size(); ++k)
        mean.of(entries[i].id)[k] = std::exchange(sums.of(entries[i].id)[k], 0.0) / seen[p];
    }
    alone.step_some(values, mean, numbers);
    for (std::size_t p = 0; p < 3; ++p)
      if (seen[p] >= needed[p]) {
        seen[p] = 0;
        ++moves[p];
      }
    if (!close(moved.values(), values)) return "asynchronous updates";
  }

  // Adam's first move is its rate, however many steps others have made.
  Optimizer<double> late(values.shared_table(), Adam{.learning_rate = 0.1});
  ParamBuffer<double> ones(values.shared_table()), first = values;
  for (double& number : ones.flat()) number = 1;
  for (int step = 0; step < 9; ++step)
    late.step_some(first, ones, std::vector<Index>(entries.size(), 0));
  if (!close(first, values)) return "what is not due has moved";
  late.step_some(first, ones, std::vector<Index>(entries.size(), 1));
  for (const auto& entry : entries)
    if (std::abs(values.of(entry.id)[0] - first.of(entry.id)[0] - 0.1) > 1e-6)
      return "a first move";
  return "";
}

// Levels that are computed again, of groups of two, in one backward pass and in one per task.
std::string wrong_recomputation(const Matrix<double>& x, const Matrix<double>& labels) {
  std::vector<Body> levels;
  for (Index l = 0; l < 5; ++l) levels.push_back({3 + l % 2});
  const auto gradients = [&](Index recompute) {
    Model<double> model(AdaTT{.input_dim = 5, .num_tasks = 3, .levels = levels}, {}, 1);
    Trainer<double> trainer(
        model, {{}, {}, {}}, SGD{},
        {.tile_rows = 7, .expert_dropout = 0.3, .seed = 4, .recompute_levels = recompute});
    trainer.compute_gradient(x, {labels});
    std::vector<ParamBuffer<double>> result{trainer.gradient()};
    trainer.compute_task_gradients(x, {labels});
    for (const auto& gradient : trainer.task_gradients()) result.push_back(gradient);
    return result;
  };
  const auto kept = gradients(0), again = gradients(2);
  for (std::size_t i = 0; i < kept.size(); ++i)
    if (!std::ranges::equal(kept[i].flat(), again[i].flat())) return "recomputed levels";
  return "";
}

}  // namespace

std::string checks::run() {
  Run tiles({.tile_rows = 7, .expert_dropout = 0.3, .seed = 4});
  Run whole({.tile_rows = 30, .expert_dropout = 0.3, .seed = 4});
  if (!close(tiles.gradient(-1), whole.gradient(-1))) return "the gradient depends on the tiles";
  const auto gradients = tiles.task_gradients();
  for (Index t = 0; t < 3; ++t)
    if (!close(gradients[static_cast<std::size_t>(t)], tiles.gradient(t)))
      return "the gradient of task " + std::to_string(t) + " is not that of its loss";
  tiles.x = Matrix<double>(0, 5);
  tiles.labels = Matrix<double>(0, 3);
  const ParamBuffer<double> of_no_rows = tiles.gradient(-1);
  for (const double g : of_no_rows.flat())
    if (g != 0) return "no rows have a gradient";
  tiles.x = whole.x;
  tiles.labels = whole.labels;
  const auto without_labels = tiles.task_gradients(1);
  for (const double g : without_labels[1].flat())
    if (g != 0) return "a task without labels has a gradient";

  // L2 is SGD's weight decay, and a step that is made is counted.
  const auto trained = [&](double decay, double penalty) {
    Model<double> model(AdaTT{.input_dim = 5, .num_tasks = 3, .levels = {{4}}}, {}, 1);
    Trainer<double> trainer(model, {{}, {}, {}}, SGD{.learning_rate = 0.1, .weight_decay = decay});
    Penalties<double> penalties(model.values().shared_table(), {{"norm", L2{.weight = penalty}}});
    if (penalty > 0) trainer.set_penalties(&penalties);
    for (int i = 0; i < 2; ++i) trainer.step(whole.x, whole.labels);
    return std::pair(model.values(), penalties.state().steps);
  };
  const auto penalised = trained(0, 0.3);
  if (!close(penalised.first, trained(0.3, 0).first) || penalised.second != 2)
    return "a penalty in the steps of a trainer";

  if (const std::string wrong = wrong_updates(whole.x, whole.labels); !wrong.empty()) return wrong;
  if (const std::string wrong = wrong_recomputation(whole.x, whole.labels); !wrong.empty())
    return wrong;

  const auto drawn = [&](std::uint64_t seed, Index steps) {
    Model<double> model(SNR{.input_dim = 5, .num_tasks = 3, .num_experts = 2, .levels = {4}}, {},
                        1);
    Trainer<double> trainer(model, {{}, {}, {}}, SGD{.learning_rate = 0}, {.seed = seed});
    for (Index i = 0; i < steps; ++i) trainer.step(whole.x, whole.labels);
    return trainer.compute_gradient(whole.x, {whole.labels});
  };
  if (drawn(1, 0) == drawn(2, 0)) return "two seeds of one draw";
  if (drawn(1, 0) == drawn(1, 1)) return "two steps of one draw";

  Tensor<double> weights(6, 1, 4);
  std::fill_n(weights.view().data(), 24, 0.25);
  drop_experts({.rate = 0.4, .seed = 1}, weights.view(), 0, 0);
  for (Index b = 0; b < 6; ++b) {
    double sum = 0;
    for (Index j = 0; j < 4; ++j) sum += weights.view()(b, 0, j);
    if (std::abs(sum - 1) > 1e-12) return "weights that were kept do not add up to one";
  }
  return "";
}
