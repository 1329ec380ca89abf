#include "plait/methods/loss_weighting.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "methods/all_methods.hpp"
#include "methods/support.hpp"

using Catch::Matchers::Message;
using methods_test::check_close;
using methods_test::for_each_weighting_method;
using methods_test::Numbers;
using plait::Index;
using plait::LossWeighting;
using plait::MethodState;
using plait::WeightingMethod;

namespace {

// Some steps of three tasks, two to an epoch; now and then one or all are without labels.
Numbers losses_of(int step) {
  if (step % 5 == 3) return {0, 0, 0};
  return {1.0 / (1 + step), step % 3 == 1 ? 0 : 2 - 0.1 * step, 5};
}

void run(LossWeighting& weighting, int first, int last, std::vector<Numbers>* weights = nullptr) {
  for (int step = first; step < last; ++step) {
    const auto w = weighting.weigh(losses_of(step));
    if (weights != nullptr) weights->emplace_back(w.begin(), w.end());
    Numbers after = losses_of(step);
    for (double& loss : after) loss *= 0.9 - 0.01 * step;
    weighting.update(losses_of(step), Numbers{1, 0.5 * step, 2}, after);
    if (step % 2 == 1) weighting.end_epoch();
  }
}

// A method of a user's own.
struct Alternating {
  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = false;
  void validate(Index) const {}
  void weights(const plait::WeightingInput& input, MethodState& state, std::span<double> out,
               plait::Scratch&) const {
    std::ranges::fill(out, 0.0);
    out[std::size_t(state.steps % input.tasks)] = 1;
  }
};
static_assert(WeightingMethod<Alternating> && !WeightingMethod<int>);

}  // namespace

TEST_CASE("weighting: every method has finite weights, batches without labels included") {
  for_each_weighting_method([](const char* name, const auto& method) {
    INFO(name);
    LossWeighting weighting(method, 3, 4);
    std::vector<Numbers> weights;
    run(weighting, 0, 20, &weights);
    for (const Numbers& w : weights) {
      REQUIRE(w.size() == 3);
      for (const double weight : w) CHECK((std::isfinite(weight) && weight >= 0));
    }
    CHECK(weighting.state().steps == 20);
  });
}

TEST_CASE("weighting: one task is legal") {
  for_each_weighting_method([](const char* name, auto method) {
    INFO(name);
    if constexpr (requires { method.values; }) method.values = {};
    if constexpr (requires { method.factor; }) method.factor = {};
    LossWeighting weighting(method, 1);
    for (int step = 0; step < 6; ++step) {
      const auto w = weighting.weigh(Numbers{0.5});
      REQUIRE(w.size() == 1);
      CHECK(w[0] > 0);
      weighting.update(Numbers{0.5}, Numbers{2}, Numbers{0.4});
      weighting.end_epoch();
    }
  });
}

TEST_CASE("weighting goes on from a stored state bit for bit, and a copy independently") {
  for_each_weighting_method([](const char* name, const auto& method) {
    INFO(name);
    LossWeighting original(method, 3, 4);
    run(original, 0, 7);
    LossWeighting copy = original, restored(method, 3, 99);
    restored.restore(original.state());
    std::vector<Numbers> expected, got, copied;
    run(original, 7, 15, &expected);
    run(restored, 7, 15, &got);
    run(copy, 7, 15, &copied);
    CHECK(got == expected);
    CHECK(copied == expected);
  });
}

TEST_CASE("weighting: the weights of the last step are kept, one per task") {
  LossWeighting weighting(plait::StaticWeights{{1, 2, 3}}, 3);
  check_close(weighting.weights(), Numbers{1, 1, 1});
  weighting.weigh();
  check_close(weighting.weights(), Numbers{1, 2, 3});
}

TEST_CASE("weighting: a user's own method plugs in") {
  LossWeighting weighting(Alternating{}, 2);
  check_close(weighting.weigh(), Numbers{1, 0});
  weighting.update(Numbers{1, 1});
  check_close(weighting.weigh(), Numbers{0, 1});
  weighting.end_epoch();
  check_close(weighting.weigh(), Numbers{0, 1});
}

TEST_CASE("weighting refuses what does not fit, before anything is changed") {
  CHECK_THROWS_MATCHES(LossWeighting(plait::DWA{}, 0), plait::ConfigError,
                       Message("plait::LossWeighting: tasks: got 0, expected at least 1"));
  LossWeighting weighting(plait::DWA{}, 2);
  CHECK_THROWS_MATCHES(weighting.update(Numbers{1}), plait::ShapeError,
                       Message("plait::LossWeighting: losses: got 1, expected 2, one per task"));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_MATCHES(weighting.update(Numbers{1, nan}), plait::ValueError,
                       Message("plait::LossWeighting: losses: got nan, expected finite numbers"));
  CHECK_THROWS_AS(weighting.weigh(Numbers{1, nan}), plait::ValueError);
  CHECK(weighting.state().steps == 0);
  CHECK(weighting.state().numbers == Numbers(8, 0.0));
  CHECK_THROWS_MATCHES(weighting.restore({.steps = -2}), plait::ConfigError,
                       Message("plait::LossWeighting: steps: got -2, expected at least 0"));
  CHECK_THROWS_MATCHES(weighting.restore({.steps = 1}), plait::ConfigError,
                       Message("plait::LossWeighting: numbers: got 0, expected 8"));
  LossWeighting norms(plait::GradNorm{}, 2);
  CHECK_THROWS_MATCHES(
      norms.update(Numbers{1, 1}, Numbers{1, nan}), plait::ValueError,
      Message("plait::LossWeighting: gradient_norms: got nan, expected finite numbers"));
}
