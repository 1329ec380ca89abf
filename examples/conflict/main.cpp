// conflict: two tasks that pull a small shared representation apart, and what becomes of them under
// methods that balance their gradients.
//
//   h = <w, x>            the representation: one number of two inputs, all that is trained
//   loud    10 h          should be 10 <a, x>
//   quiet      h          should be    <b, x>
//
// a and b have length 1 and are 60 degrees apart. The losses are 100 |w - a|^2 and |w - b|^2: on
// the way from a to b one rises as the other falls (the Pareto front), and nothing is good for
// both. A task's R^2 is 1 at its own end of the way and 0 at the other's. Every method starts from
// w = 0.
#include <cmath>
#include <cstdio>
#include <numbers>

#include "plait/architectures/shared_bottom.hpp"
#include "plait/core/random.hpp"
#include "plait/methods/cagrad.hpp"
#include "plait/methods/conflict_free.hpp"
#include "plait/methods/equal_weights.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/gradient_cosines.hpp"
#include "plait/methods/imtl_g.hpp"
#include "plait/methods/mgda.hpp"
#include "plait/methods/nash_mtl.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/methods/upgrad.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"

namespace {

using plait::Index;

struct Data {
  plait::Matrix<double> x{512, 2};
  plait::Matrix<double> labels{512, 2};  // loud, quiet

  Data() {
    plait::Random random(1);
    for (double& number : x.reshaped()) number = random.normal();
    const double angle = std::numbers::pi / 3;
    labels.col(0) = 10 * x.col(0);
    labels.col(1) = std::cos(angle) * x.col(0) + std::sin(angle) * x.col(1);
  }
};

plait::Model<double> start() {
  const plait::SharedBottom trunk{
      .input_dim = 2, .num_tasks = 2, .expert = {{1}, plait::Activation::identity, false}};
  auto model = plait::Model<double>::zeros(trunk, {});
  model.values_of("task_modules.0.1.weight")[0] = 10;
  model.values_of("task_modules.1.1.weight")[0] = 1;
  return model;
}

double r2(const plait::Matrix<double>& labels, double loss, Index task) {
  const auto column = labels.col(task).array();
  return 1 - loss / (column - column.mean()).square().mean();
}

// Trains, and prints a row.
template <class Method, plait::BalanceAt at = plait::BalanceAt::parameters>
void run(const char* name, const char* promise) {
  const Data data;
  const plait::Targets<double> targets{.labels = data.labels};
  auto model = start();
  plait::Trainer trainer(model,
                         {{.kind = plait::HeadKind::regression, .name = "loud"},
                          {.kind = plait::HeadKind::regression, .name = "quiet"}},
                         plait::SGD{.learning_rate = 2e-3},
                         {.optimizer = {.groups = {{.pattern = "task_modules*", .frozen = true}}}});
  plait::GradientBalancer<double> balancer(
      Method{}, trainer.num_tasks(), model.values().shared_table(), trainer.shared(), /*seed=*/1);
  plait::GradientCosines cosines(trainer.num_tasks());
  for (int step = 0; step < 3000; ++step) {
    trainer.compute_task_gradients(data.x, targets);
    cosines.add<double>(trainer.task_gradients(), trainer.shared());
    trainer.step(data.x, targets, balancer, at);
  }
  trainer.compute_gradient(data.x, targets);
  std::printf("%-10s %7.3f %8.3f %10.0f %%  %s\n", name,
              r2(data.labels, trainer.task_losses()[0], 0),
              r2(data.labels, trainer.task_losses()[1], 1), 100 * cosines.report().conflicts(0, 1),
              promise);
}

}  // namespace

int main() {
  std::printf("%-10s %7s %8s %12s  %s\n", "method", "loud R2", "quiet R2", "in conflict",
              "what its paper promises");
  run<plait::EqualWeights>("plain sum", "the least sum, which is the loud task's");
  run<plait::CAGrad>("CAGrad", "the least sum as well, by a way that spares the worst-off");
  run<plait::PCGrad>("PCGrad", "a point of the front, by steps without the conflicting part");
  run<plait::UPGrad>("UPGrad", "a point of the front, by steps that hurt no task");
  run<plait::MGDA>("MGDA", "a point of the front, by steps along the smallest gradient");
  run<plait::IMTLG>("IMTL-G", "both tasks alike, whatever the scale of their losses");
  run<plait::ConFIG>("ConFIG", "the same way, as far as the gradients go it");
  run<plait::NashMTL>("Nash-MTL", "both tasks in proportion, whatever the scale");
  using enum plait::BalanceAt;
  run<plait::UPGrad, representation>("UPGrad-UB",
                                     "UPGrad at the representation: one backward pass");
  run<plait::MGDA, representation>("MGDA-UB", "MGDA at the representation");
}
