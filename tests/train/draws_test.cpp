// What layers draw in training: of a seed and a step, the same whatever the tiles, lanes and
// threads, in every kind of pass, and not in scoring.
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/learning_to_branch.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/snr.hpp"
#include "plait/core/parallel.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "plait/methods/equal_weights.hpp"
#include "plait/methods/famo.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/methods/upgrad.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/difference.hpp"

using namespace plait;

namespace {

const Matrix<double> x = data::normal<double>(300, 5, 1);
const Matrix<double> labels = data::binary<double>(300, 2, 2);

SNR snr(SNRConnection connection = SNRConnection::aver) {
  return {
      .input_dim = 5, .num_tasks = 2, .num_experts = 3, .levels = {6, 4}, .connection = connection};
}
LearningToBranch branching() {
  return {.input_dim = 5, .num_tasks = 2, .num_experts = 3, .levels = {6, 4}};
}

struct Run {
  explicit Run(Trunk<double> trunk, TrainerOptions options = {})
      : model(std::move(trunk), {}, /*seed=*/3),
        trainer(model, data::binary_heads(2), SGD{.learning_rate = 0.1}, std::move(options)) {}
  void step(int times = 1) {
    for (int i = 0; i < times; ++i) trainer.step(x, labels);
  }
  double loss() { return trainer.compute_gradient(x, Targets<double>{.labels = labels}); }
  ParamBuffer<double> gradient() {
    loss();
    return trainer.gradient();
  }
  // The loss of logits with these draws.
  double loss_of(Draws draws) {
    Matrix<double> logits(300, 2);
    Scratch scratch;
    model.network().forward(model.values(), x, logits, nullptr, scratch, {.draws = draws});
    return MultiTaskLoss<double>(data::binary_heads(2)).evaluate_batch(logits, {labels});
  }

  Model<double> model;
  Trainer<double> trainer;
};

const std::vector<Trunk<double>> trunks{snr(SNRConnection::trans), snr(), branching()};

}  // namespace

TEST_CASE("a network tells that it draws") {
  for (const auto& trunk : trunks) CHECK(Run(trunk).model.network().draws());
  CHECK_FALSE(Run(MMoE{.input_dim = 5, .num_tasks = 2, .num_experts = 2}).model.network().draws());
}

TEST_CASE("the draws of a step are those of seed and step") {
  for (const auto& trunk : trunks) {
    Run run(trunk, {.seed = 5});
    for (Index step = 0; step < 3; ++step) {
      const double loss = run.loss();
      CHECK_THAT(loss, Catch::Matchers::WithinAbs(run.loss_of({.seed = 5, .step = step}), 1e-13));
      CHECK(std::abs(loss - run.loss_of({.seed = 6, .step = step})) > 1e-9);
      CHECK(std::abs(loss - run.loss_of({})) > 1e-9);
      run.step();
    }
    // Scoring has none.
    Matrix<double> logits(300, 2);
    run.trainer.score(x, logits);
    CHECK_THAT(MultiTaskLoss<double>(data::binary_heads(2)).evaluate_batch(logits, {labels}),
               Catch::Matchers::WithinAbs(run.loss_of({}), 1e-13));
  }
}

TEST_CASE("draws do not depend on tiles, lanes or threads") {
  for (const auto& trunk : trunks) {
    const auto gradient = [&](TrainerOptions options) {
      options.seed = 5;
      Run run(trunk, std::move(options));
      run.step(2);
      return run.gradient();
    };
    const auto whole = gradient({.tile_rows = 300});
    CHECK(difference(whole, gradient({.tile_rows = 7})) < 1e-12);
    const auto lanes = gradient({.tile_rows = 7, .lanes = 4});
    CHECK(difference(whole, lanes) < 1e-12);
    for (const int threads : {2, 3, 8}) {
      ThreadPool pool(threads);
      CHECK(difference(lanes, gradient({.tile_rows = 7, .lanes = 4, .executor = &pool})) == 0);
    }
  }
}

TEST_CASE("a step that is weighted, balanced or learned from has one draw") {
  for (const auto& trunk : trunks) {
    Run run(trunk, {.seed = 5}), plain(trunk, {.seed = 5});
    GradientBalancer<double> balancer(UPGrad{}, 2, run.model.values().shared_table(),
                                      run.trainer.shared());
    const Targets<double> targets{labels};
    for (int i = 0; i < 3; ++i) {
      plain.model.load(run.model.values());
      CHECK_THAT(run.trainer.step(x, targets, balancer),
                 Catch::Matchers::WithinAbs(plain.trainer.step(x, labels), 1e-12));
    }
  }
  // Both trunks whose outputs are sums of experts: at the representation, too.
  Run run(snr(), {.seed = 5}), whole(snr(), {.seed = 5});
  GradientBalancer<double> mean(EqualWeights{}, 2, run.model.values().shared_table(),
                                run.trainer.shared());
  for (int i = 0; i < 3; ++i) {
    run.trainer.step(x, Targets<double>{labels}, mean, BalanceAt::representation);
    whole.step();
    CHECK(difference(run.model.values(), whole.model.values()) < 1e-12);
  }
}

// FAMO weighs by how the losses changed in a step, which another draw would change, too.
TEST_CASE("the losses after a step are those of its draw") {
  Run run(snr(), {.seed = 5});
  LossWeighting famo(FAMO{}, 2);
  const Targets<double> targets{labels};
  const double before = run.loss_of({.seed = 5, .step = 0});
  run.trainer.step(x, targets, famo);
  const double after = run.loss_of({.seed = 5, .step = 0});
  CHECK(after < before);
  CHECK_THAT(run.loss(), Catch::Matchers::WithinAbs(run.loss_of({.seed = 5, .step = 1}), 1e-13));
}
