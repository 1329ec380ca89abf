// What a mutation of affinities must make fail: partitions, ranks, a tree and groups that are
// known, and what a task's step does to another's loss.
#include <cmath>
#include <string>
#include <vector>

#include "mutation/checks.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/inspect/branching.hpp"
#include "plait/inspect/gradient_affinity.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"
#include "support/data.hpp"

namespace {

using namespace plait;

std::string wrong_tree() {
  Index count = 0;
  for_each_partition(5, 3, [&](const Partition&) { ++count; });
  if (count != 41) return "partitions of five into three";  // 1 + 15 + 25
  if (detail::ranks(std::vector<double>{2, 1, 2}) != std::vector{2.5, 1.0, 2.5}) return "ranks";
  // Below all are near; above, the first two.
  Matrix<double> below(3, 3), above(3, 3);
  below << 1, 0.9, 0.9, 0.9, 1, 0.9, 0.9, 0.9, 1;
  above << 1, 0.8, 0.1, 0.8, 1, 0.1, 0.1, 0.1, 1;
  const auto tree = branch(std::vector{below, above}, {.most_nodes = 3});
  if (tree.groups != std::vector<Partition>{{0, 0, 0}, {0, 0, 1}}) return "a tree";
  // In one group the largest distance counts: 0.1 below, 0.9 above.
  const auto bottom = branch(std::vector{below, above}, {.most_nodes = 2});
  return std::abs(bottom.cost - 1) < 1e-12 ? "" : "a tree's cost";
}

std::string wrong_groups() {
  // Together the three gain more in sum, the first two alone more on average.
  Matrix<double> affinity(3, 3);
  affinity << 0, 0.2, 0.05, 0.2, 0, 0.05, 0.05, 0.05, 0;
  return group_tasks(affinity, 2) == Partition{0, 0, 1} ? "" : "groups";
}

std::string wrong_lookahead() {
  const auto x = data::normal<double>(30, 4, 1);
  const auto labels = data::binary<double>(30, 2, 2);
  Model<double> model(SharedBottom{.input_dim = 4, .num_tasks = 2, .expert = {5}}, {}, 1);
  Trainer<double> trainer(model, {{}, {.weight = 3}}, SGD{});
  const Targets<double> targets{labels};
  const auto affinity = lookahead_affinity<double>(trainer, x, targets, 0.01);
  trainer.compute_task_gradients(x, targets);
  const double before = trainer.task_losses()[1];
  ParamBuffer<double> moved = model.values();
  for (const auto& range : trainer.shared())
    for (Index k = range.offset; k < range.end(); ++k) {
      const auto at = static_cast<std::size_t>(k);
      moved.flat()[at] -= 0.01 * trainer.task_gradients()[0].flat()[at];
    }
  trainer.load(moved);
  trainer.compute_gradient(x, targets);
  const double expected = 1 - trainer.task_losses()[1] / before;
  return std::abs(affinity(0, 1) - expected) < 1e-12 ? "" : "a step's effect on another task";
}

}  // namespace

std::string checks::run() {
  if (std::string wrong = wrong_tree(); !wrong.empty()) return wrong;
  if (std::string wrong = wrong_groups(); !wrong.empty()) return wrong;
  return wrong_lookahead();
}
