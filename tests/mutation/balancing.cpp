// What a mutation of balancing must make fail: steps at the representation against the tasks'
// gradients, and methods that learn from what a step did.
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "mutation/checks.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/methods/conflict_free.hpp"
#include "plait/methods/famo.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"
#include "support/data.hpp"

namespace {

using namespace plait;

struct Fixed {
  static constexpr bool needs_gramian = true;
  void validate(Index) const {}
  void weights(const BalancingInput&, MethodState&, std::span<double> out, Scratch&) const {
    out[0] = 0.5;
    out[1] = -1;
    out[2] = 3;
  }
};

// A PLE whose last experts are linear; task 2 is conditional on task 0, whose tower it then
// reaches.
struct Run {
  explicit Run(Index rows, Index tile_rows, Index lanes = 1)
      : x(data::normal<double>(rows, 5, 1)),
        labels(data::binary<double>(rows, 3, 2)),
        trainer(model,
                {{}, {.kind = HeadKind::regression}, {.kind = HeadKind::conditional, .given = 0}},
                SGD{.learning_rate = 0}, {.tile_rows = tile_rows, .lanes = lanes}),
        balancer(Fixed{}, 3, model.shared_table(), trainer.shared()) {}

  void step(Index without = -1) {
    Matrix<double> mask = Matrix<double>::Ones(labels.rows(), 3);
    if (without >= 0) mask.col(without).setZero();
    trainer.compute_task_gradients(x, {labels, mask});
    gradients.assign(trainer.task_gradients().begin(), trainer.task_gradients().end());
    trainer.step(x, {labels, mask}, balancer, BalanceAt::representation);
  }
  // Whether the gradient is Σ_t α_t g_t in the trunk and Σ_t g_t in the towers.
  bool is_weighted_sum() const {
    for (const ParamEntry& entry : model.table().entries())
      for (std::size_t i = 0; i < static_cast<std::size_t>(entry.id.size()); ++i) {
        double expected = 0;
        for (std::size_t t = 0; t < 3; ++t)
          expected += (entry.name.starts_with("mtl_arch.") ? balancer.weights()[t] : 1) *
                      gradients[t].of(entry.id)[i];
        if (!(std::abs(trainer.gradient().of(entry.id)[i] - expected) < 1e-12)) return false;
      }
    return true;
  }
  // The Gramian of a single row, whose dL/dE are the biases' gradients.
  Eigen::MatrixXd of_biases() const {
    Eigen::MatrixXd result = Eigen::MatrixXd::Zero(3, 3);
    for (const ParamEntry& entry : model.table().entries()) {
      if (entry.name.find(".experts.1.") == std::string::npos || !entry.name.ends_with(".bias"))
        continue;
      for (std::size_t i = 0; i < static_cast<std::size_t>(entry.id.size()); ++i)
        for (Index s = 0; s < 3; ++s)
          for (Index t = 0; t < 3; ++t)
            result(s, t) += gradients[static_cast<std::size_t>(s)].of(entry.id)[i] *
                            gradients[static_cast<std::size_t>(t)].of(entry.id)[i];
    }
    return result;
  }

  Matrix<double> x, labels;
  Model<double> model{PLE{.input_dim = 5,
                          .num_tasks = 3,
                          .levels = {{4}, Body({3}, Activation::identity)},
                          .task_experts = {2},
                          .shared_experts = 2},
                      {},
                      1};
  Trainer<double> trainer;
  GradientBalancer<double> balancer;
  std::vector<ParamBuffer<double>> gradients;
};

}  // namespace

std::string checks::run() {
  Run one(1, 7);
  one.step();
  if (!((one.balancer.gramian() - one.of_biases()).norm() < 1e-13))
    return "the Gramian is not that of the representation";
  Run some(60, 7), lanes(60, 7, 2), many(RepresentationPass<double>::kept_rows + 300, 128);
  for (Run* run : {&some, &lanes, &many}) {
    run->step();
    if (!run->is_weighted_sum()) return "the gradient is not the weighted sum";
  }
  if (!((some.balancer.gramian() - lanes.balancer.gramian()).norm() < 1e-12))
    return "the Gramian depends on the lanes";
  some.step(1);
  if (!some.is_weighted_sum()) return "a task without labels takes part";

  Eigen::MatrixXd gramian(2, 2);
  gramian << 4, 1, 1, 9;
  GradientBalancer<double> config(ConFIG{}, 2, one.model.shared_table(), {});
  const auto alpha = config.weigh(gramian);
  // Cosine 1/6: c = 6/7 each, ‖v‖² = 12/7, Σ ‖g‖ = 5.
  if (!(std::abs(alpha[0] - 5.0 / 2 / 2) < 1e-12 && std::abs(alpha[1] - 5.0 / 2 / 3) < 1e-12))
    return "ConFIG's direction";

  // A step that raises the first task's weight: FAMO sees by how much each loss falls.
  Run moving(40, 10);
  Trainer<double> trainer(moving.model, {{}, {}, {}}, SGD{.learning_rate = 0.3});
  LossWeighting famo(FAMO{.rule = SGD{.learning_rate = 1}}, 3);
  const Targets<double> targets{moving.labels};
  trainer.step(moving.x, targets, famo);
  const std::vector<double> before(trainer.task_losses().begin(), trainer.task_losses().end());
  trainer.compute_gradient(moving.x, targets);
  double mean = 0;
  std::vector<double> fall;
  for (std::size_t t = 0; t < 3; ++t) {
    fall.push_back(std::log(before[t] + 1e-8) - std::log(trainer.task_losses()[t] + 1e-8));
    mean += fall[t] / 3;
  }
  for (std::size_t t = 0; t < 3; ++t)
    if (!(std::abs(famo.state().numbers[t] + (fall[t] - mean) / 3) < 1e-12))
      return "FAMO does not follow the losses";
  return "";
}
