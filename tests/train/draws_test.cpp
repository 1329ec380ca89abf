// What layers draw in training: of a seed and a step, the same whatever the tiles, lanes and
// threads, in every kind of pass, and not in scoring.
#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "plait/architectures/ada_share.hpp"
#include "plait/architectures/ada_share_layer.hpp"
#include "plait/architectures/adatt.hpp"
#include "plait/architectures/learning_to_branch.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/architectures/snr.hpp"
#include "plait/core/parallel.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "plait/methods/equal_weights.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/methods/weighting_method.hpp"
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

// What draws is the trunk, or what is inside its levels and the towers.
struct Drawing {
  Trunk<double> trunk;
  TowersConfig towers{};
};

struct Run {
  explicit Run(const Drawing& drawing, TrainerOptions options = {})
      : model(drawing.trunk, drawing.towers, /*seed=*/3),
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

// Takes down the losses before and after a step.
struct Recording {
  static constexpr bool needs_losses = true;
  static constexpr bool needs_gradient_norms = false;
  static constexpr bool needs_losses_after = true;
  std::vector<double>* losses = nullptr;

  void validate(Index) const {}
  void weights(const WeightingInput&, MethodState&, std::span<double> out, Scratch&) const {
    std::ranges::fill(out, 1.0);
  }
  void update(const WeightingInput& input, MethodState&, Scratch&) const {
    losses->assign(input.losses.begin(), input.losses.end());
    losses->insert(losses->end(), input.losses_after.begin(), input.losses_after.end());
  }
};

Body dropping(std::vector<Index> dims) {
  return MLPConfig(std::move(dims), Activation::relu, true, 0.3);
}
PLE noisy(Index top = 0) {
  return {.input_dim = 5,
          .num_tasks = 2,
          .levels = {{6}, {4}},
          .task_experts = {2},
          .gates = {{.noise = GateNoise{.top = top}}}};
}

const std::vector<Drawing> trunks{
    {snr(SNRConnection::trans)},
    {snr()},
    {branching()},
    {AdaShare{.input_dim = 5, .num_tasks = 2, .stem = {6}, .blocks = {4, 5}}},
    {MMoE{.input_dim = 5, .num_tasks = 2, .num_experts = 3, .expert = dropping({6, 4})}},
    {noisy()},
    {noisy(/*top=*/2)},
    {AdaTT{.input_dim = 5,
           .num_tasks = 2,
           .levels = {dropping({6}), {4}},
           .gates = {{.body = dropping({3})}}}},
    {SharedBottom{.input_dim = 5, .num_tasks = 2, .expert = {6}}, {.hidden = {dropping({5})}}}};

}  // namespace

TEST_CASE("a network tells that it draws") {
  for (const auto& trunk : trunks) CHECK(Run(trunk).model.network().draws());
  CHECK_FALSE(
      Run({MMoE{.input_dim = 5, .num_tasks = 2, .num_experts = 2}}).model.network().draws());
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

TEST_CASE("a balanced step has one draw") {
  const auto check = [](const Drawing& trunk, BalanceAt at) {
    Run run(trunk, {.seed = 5}), plain(trunk, {.seed = 5});
    GradientBalancer<double> sum(EqualWeights{}, 2, run.model.values().shared_table(),
                                 run.trainer.shared());
    for (int i = 0; i < 3; ++i) {
      run.trainer.step(x, Targets<double>{labels}, sum, at);
      plain.step();
      CHECK(difference(run.model.values(), plain.model.values()) < 1e-12);
    }
  };
  for (const auto& trunk : trunks) check(trunk, BalanceAt::parameters);
  // The outputs are sums of experts.
  check({snr()}, BalanceAt::representation);
  check({noisy(), {.hidden = {dropping({5})}}}, BalanceAt::representation);
}

TEST_CASE("draws of a run that is resumed are those of one that is not") {
  for (const auto& trunk : trunks) {
    Run whole(trunk, {.seed = 5}), first(trunk, {.seed = 5}), second(trunk, {.seed = 5});
    whole.step(5);
    first.step(2);
    second.trainer.load(first.model.values());
    second.trainer.optimizer() = first.trainer.optimizer();
    second.step(3);
    CHECK(difference(whole.model.values(), second.model.values()) == 0);
    Run other(trunk, {.seed = 6});
    other.step(5);
    CHECK(difference(whole.model.values(), other.model.values()) > 1e-6);
  }
}

TEST_CASE("the losses before and after a step are those of its draw") {
  for (const auto& trunk : trunks) {
    Run run(trunk, {.seed = 5});
    std::vector<double> losses;
    LossWeighting weighting(Recording{&losses}, 2);
    for (Index step = 0; step < 3; ++step) {
      const double before = run.loss_of({.seed = 5, .step = step});
      run.trainer.step(x, Targets<double>{labels}, weighting);
      REQUIRE(losses.size() == 4);
      CHECK_THAT(losses[0] + losses[1], Catch::Matchers::WithinAbs(before, 1e-13));
      CHECK_THAT(losses[2] + losses[3],
                 Catch::Matchers::WithinAbs(run.loss_of({.seed = 5, .step = step}), 1e-13));
    }
  }
}
