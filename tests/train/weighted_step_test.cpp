// Steps with weights of the tasks' losses.
#include <algorithm>
#include <cmath>
#include <vector>

#include "plait/methods/famo.hpp"
#include "plait/methods/geometric_mean.hpp"
#include "plait/methods/gradnorm.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/methods/static_weights.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/models.hpp"

using namespace plait;

namespace {

constexpr models::Sizes sizes{};
const std::vector<Head> heads{{.weight = 0.5}, {.kind = HeadKind::regression, .weight = 2}, {}};

struct Fixture {
  Matrix<double> x = data::normal<double>(70, sizes.input_dim, 5);
  Matrix<double> labels = data::binary<double>(70, 3, 6);
  Matrix<double> mask = data::binary<double>(70, 3, 7);
  Model<double> model = models::make<double>(
      PLE{.input_dim = sizes.input_dim, .num_tasks = 3, .levels = sizes.levels()}, sizes);
  Trainer<double> trainer;

  explicit Fixture(double expert_dropout = 0)
      : trainer(model, heads, SGD{.learning_rate = 0.1},
                {.tile_rows = 16, .expert_dropout = expert_dropout}) {}

  Targets<double> targets() const { return {labels, mask}; }

  // weight_t L_t, and the gradient of Σ_t w_t weight_t L_t from the tasks' gradients.
  std::vector<double> losses() {
    trainer.compute_task_gradients(x, targets());
    std::vector<double> result(trainer.task_losses().begin(), trainer.task_losses().end());
    for (std::size_t t = 0; t < 3; ++t) result[t] *= heads[t].weight;
    return result;
  }
  ParamBuffer<double> weighted(std::span<const double> weights) {
    trainer.compute_task_gradients(x, targets());
    ParamBuffer<double> sum(model.values().shared_table());
    for (std::size_t t = 0; t < 3; ++t)
      for (std::size_t i = 0; i < sum.flat().size(); ++i)
        sum.flat()[i] += weights[t] * trainer.task_gradients()[t].flat()[i];
    return sum;
  }
};

// A step from the same values gives this gradient, these values and this total.
template <class W>
void check_step(Fixture& fixture, W& weighting, std::span<const double> weights,
                std::span<const ParamRange> layer = {}) {
  const auto losses = fixture.losses();
  const auto expected = fixture.weighted(weights);
  const auto before = fixture.model.values();
  const double total = fixture.trainer.step(fixture.x, fixture.targets(), weighting, layer);
  CHECK(std::abs(total - (losses[0] + losses[1] + losses[2])) < 1e-13);
  for (std::size_t t = 0; t < 3; ++t) CHECK(std::abs(weighting.weights()[t] - weights[t]) < 1e-12);
  for (std::size_t i = 0; i < expected.flat().size(); ++i) {
    REQUIRE(std::abs(fixture.trainer.gradient().flat()[i] - expected.flat()[i]) < 1e-12);
    REQUIRE(std::abs(fixture.model.values().flat()[i] -
                     (before.flat()[i] - 0.1 * expected.flat()[i])) < 1e-12);
  }
  CHECK(weighting.state().steps > 0);
}

// Weighs all tasks alike and learns from nothing.
struct Refuses {
  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = false;

  void validate(Index) const {}
  void weights(const WeightingInput&, const MethodState&, std::span<double> out, Scratch&) const {
    std::ranges::fill(out, 1.0);
  }
  void update(const WeightingInput&, const MethodState&, Scratch&) const {
    throw ValueError("Refuses", "losses", "any", "none");
  }
};

}  // namespace

TEST_CASE("weights that depend on the losses see them with the experts that the step drops") {
  Fixture fixture(0.4);
  const auto losses = fixture.losses();
  LossWeighting weighting(GeometricMean{}, 3);
  LossWeighting same(GeometricMean{}, 3);
  const auto weights = same.weigh(losses);
  const std::vector<double> expected(weights.begin(), weights.end());
  check_step(fixture, weighting, expected);
}

TEST_CASE("FAMO learns from the batch's losses after the step, with the experts that it dropped") {
  Fixture fixture(0.4);
  const auto losses = fixture.losses();
  LossWeighting weighting(FAMO{.rule = SGD{.learning_rate = 1}}, 3);
  LossWeighting same(FAMO{.rule = SGD{.learning_rate = 1}}, 3);
  const auto weights = same.weigh(losses);
  const std::vector<double> expected(weights.begin(), weights.end());
  const auto before = fixture.model.values();
  check_step(fixture, weighting, expected);
  // The step's own losses are what is told of it.
  for (std::size_t t = 0; t < 3; ++t)
    CHECK(std::abs(fixture.trainer.task_losses()[t] * heads[t].weight - losses[t]) < 1e-13);

  // The same draws: as another trainer's first step.
  Fixture moved(0.4);
  const auto after_values = fixture.model.values();
  moved.trainer.load(after_values);
  same.update(losses, {}, moved.losses());
  for (std::size_t t = 0; t < 3; ++t)
    CHECK(std::abs(same.state().numbers[t] - weighting.state().numbers[t]) < 1e-12);
  CHECK(std::abs(weighting.state().numbers[0]) > 1e-4);
}

TEST_CASE("FAMO learns nothing from a step after which losses are infinite") {
  Fixture fixture;
  Trainer<double> wild(fixture.model, heads, SGD{.learning_rate = 1e160});
  LossWeighting weighting(FAMO{}, 3);
  CHECK(std::isfinite(wild.step(fixture.x, fixture.targets(), weighting)));
  CHECK(wild.optimizer().steps() == 1);
  CHECK(weighting.state().steps == 0);
  CHECK_THROWS_AS(wild.step(fixture.x, fixture.targets(), weighting), ValueError);
}

TEST_CASE("a weighting that refuses what it saw leaves model and optimizer as they were") {
  Fixture fixture;
  const auto before = fixture.model.values();
  LossWeighting weighting(Refuses{}, 3);
  CHECK_THROWS_AS(fixture.trainer.step(fixture.x, fixture.targets(), weighting), ValueError);
  CHECK(std::ranges::equal(fixture.model.values().flat(), before.flat()));
  CHECK(fixture.trainer.optimizer().steps() == 0);
}

TEST_CASE("weights known before the batch scale the tasks' gradients, a weight of 0 too") {
  Fixture fixture;
  LossWeighting weighting(StaticWeights{{0.3, 0, 2}}, 3);
  check_step(fixture, weighting, std::vector<double>{0.3, 0, 2});
  CHECK(fixture.trainer.task_losses()[1] != 0);
}

TEST_CASE("weights that depend on the losses see those of the very batch, in the total's units") {
  Fixture fixture;
  LossWeighting weighting(GeometricMean{}, 3);
  const auto losses = fixture.losses();
  const double mean = std::cbrt(losses[0] * losses[1] * losses[2]);
  check_step(
      fixture, weighting,
      std::vector<double>{mean / (3 * losses[0]), mean / (3 * losses[1]), mean / (3 * losses[2])});
}

TEST_CASE("GradNorm learns from the norms over the layer that is asked for") {
  for (const bool whole : {true, false}) {
    Fixture fixture;
    const ParamId id = fixture.model.table().at("mtl_arch.experts.1.3.mlp_net.0.weight").id;
    const std::vector<ParamRange> layer{{id.offset, id.size()}};
    const auto& ranges = whole ? fixture.trainer.shared() : layer;
    const auto losses = fixture.losses();
    std::vector<double> norms;
    for (const auto& gradient : fixture.trainer.task_gradients()) {
      double sum = 0;
      for (const ParamRange& range : ranges)
        for (Index i = range.offset; i < range.end(); ++i)
          sum += gradient.flat()[std::size_t(i)] * gradient.flat()[std::size_t(i)];
      norms.push_back(std::sqrt(sum));
    }
    LossWeighting expected(GradNorm{}, 3);
    LossWeighting weighting(GradNorm{}, 3);
    expected.weigh(losses);
    expected.update(losses, norms);
    check_step(fixture, weighting, std::vector<double>{1, 1, 1},
               whole ? std::span<const ParamRange>() : std::span<const ParamRange>(layer));
    const auto learned = weighting.weigh();
    const auto by_hand = expected.weigh();
    CHECK(by_hand[0] != 1);
    for (std::size_t t = 0; t < 3; ++t) CHECK(std::abs(learned[t] - by_hand[t]) < 1e-12);
  }
}

TEST_CASE("a batch without labels leaves model and weighting as they were") {
  Fixture fixture;
  fixture.mask.setZero();
  LossWeighting weighting(GradNorm{}, 3);
  const auto before = fixture.model.values();
  CHECK(fixture.trainer.step(fixture.x, fixture.targets(), weighting) == 0);
  CHECK(std::ranges::equal(before.flat(), fixture.model.values().flat()));
  CHECK(weighting.state().steps == 0);
}

TEST_CASE("a layer outside of the model is refused before anything is changed") {
  Fixture fixture;
  LossWeighting weighting(GradNorm{}, 3);
  const auto before = fixture.model.values();
  const std::vector<ParamRange> outside{{0, fixture.model.table().buffer_size() + 1}};
  CHECK_THROWS_AS(fixture.trainer.step(fixture.x, fixture.targets(), weighting, outside),
                  ConfigError);
  CHECK(std::ranges::equal(before.flat(), fixture.model.values().flat()));
}
