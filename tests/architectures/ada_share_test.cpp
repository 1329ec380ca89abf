// AdaShare: the worked example with its own noise, gradients with fixed draws, what is left out and
// what is shared in scoring, and how often a block is executed.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "architectures/drawn_cases.hpp"
#include "architectures/worked_example.hpp"
#include "plait/architectures/ada_share.hpp"
#include "plait/architectures/ada_share_layer.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/fusion/gumbel_softmax.hpp"
#include "plait/fusion/skip_policy.hpp"
#include "plait/testing/build.hpp"
#include "plait/testing/gradcheck.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/with_options.hpp"

namespace {

using namespace plait;
using drawn_cases::built_of;
using drawn_cases::sharing;
using fixtures::Json;
using worked::Example;
using worked::output;

constexpr Draws drawn{.seed = 5, .step = 3};

// Where logit k of task t and block l is drawn.
CounterRandom place(Index t, Index l, Index k) {
  const auto n = [](Index v) { return static_cast<std::uint64_t>(v); };
  return stream_of(drawn).at(n(t)).at(n(l)).at(n(k));
}

template <class Scalar>
Example<Scalar> example_of(bool hard) {
  Example<Scalar> example(
      "B05_adashare", AdaShare{.input_dim = 2,
                               .num_tasks = 2,
                               .blocks = {2, 2},
                               .policy = {.temperature = {.start = 0.8, .rate = 1}, .hard = hard}});
  const Json& params = example.fixture.at("params");
  for (std::size_t l = 0; l < 2; ++l)
    for (std::size_t k = 0; k < 2; ++k) {
      const Json& layer = params.at("blocks").at(l).at(k == 0 ? "l1" : "l2");
      example.set(text("blocks.", l, ".mlp_net.", 2 * k, ".weight"), layer.at("W"));
      example.set(text("blocks.", l, ".mlp_net.", 2 * k, ".bias"), layer.at("b"));
    }
  for (std::size_t t = 0; t < 2; ++t) example.set(text("policies.", t), params.at("logits").at(t));
  return example;
}

template <class Scalar>
void check_example(bool hard) {
  auto example = example_of<Scalar>(hard);
  // The logits are moved by as much as the draw's noise differs from the example's.
  for (Index t = 0; t < 2; ++t)
    for (Index l = 0; l < 2; ++l)
      for (Index k = 0; k < 2; ++k) {
        const double noise = example.fixture.at("inputs")
                                 .at("gumbel_noise")
                                 .at(std::size_t(t))
                                 .at(std::size_t(l))
                                 .at(std::size_t(k));
        example.values(text("policies.", t))[static_cast<std::size_t>(2 * l + k)] +=
            static_cast<Scalar>(noise - gumbel(place(t, l, k)));
      }
  example.forward({.draws = drawn});
  example.check_y(hard ? "out_hard_straight_through" : "out_soft");
  example.backward();
  const Json& grads = example.fixture.at(hard ? "grads_hard_straight_through" : "grads");
  example.check(Example<Scalar>::flat(example.dx), grads.at("x"));
  for (std::size_t l = 0; l < 2; ++l)
    for (std::size_t k = 0; k < 2; ++k) {
      const Json& layer = grads.at("blocks").at(l).at(k == 0 ? "l1" : "l2");
      example.check(example.gradient(text("blocks.", l, ".mlp_net.", 2 * k, ".weight")),
                    layer.at("W"));
      example.check(example.gradient(text("blocks.", l, ".mlp_net.", 2 * k, ".bias")),
                    layer.at("b"));
    }
  for (std::size_t t = 0; t < 2; ++t)
    example.check(example.gradient(text("policies.", t)), grads.at("logits").at(t));
}

void set_policy(testing::Built<Network<double>>& built, Index task, std::vector<double> numbers) {
  std::ranges::copy(numbers, built.theta.of(text("policies.", task)).begin());
}

}  // namespace

TEMPLATE_TEST_CASE("math example B05: AdaShare", "", double, float) {
  check_example<TestType>(false);
  check_example<TestType>(true);
}

TEST_CASE("AdaShare's gradients are those of what was drawn") {
  const std::vector<AdaShare> descriptions{sharing(), sharing({}, {3, 4}), sharing({4}, {3}),
                                           sharing({3}, {2, 3, 4}, 3)};
  for (AdaShare description : descriptions)
    for (const double curriculum : {0.0, 2.0})
      for (Index step = -1; step < 4; ++step) {
        description.policy.warmup_steps = curriculum / 2;
        description.policy.curriculum_steps = curriculum;
        const auto built = built_of(description);
        const auto report = testing::check_gradients(
            with_options::Layer{built.layer, {.draws = {.seed = 8, .step = step}}}, built.theta,
            built.input(3).view());
        INFO("step " << step << ", " << report.text());
        CHECK(report.passed());
      }
}

// Decisions that differ and agree in all ways of three tasks on two blocks.
TEST_CASE("AdaShare's gradients are those of the blocks that tasks execute") {
  for (int decisions = 0; decisions < 64; ++decisions) {
    auto built = built_of(sharing({4}, {3, 2}, 3));
    for (Index t = 0; t < 3; ++t) {
      const double first = (decisions >> (2 * t)) & 1, second = (decisions >> (2 * t + 1)) & 1;
      set_policy(built, t, {first, 1 - first, second, 1 - second});
    }
    const auto report = testing::check_gradients(built.layer, built.theta, built.input(3).view());
    INFO("decisions " << decisions << ", " << report.text());
    CHECK(report.passed());
    CHECK(drawn_cases::tasks_are_as_alone(built));
  }
}

TEST_CASE("tasks learn from decisions that are as another task's") {
  CHECK(drawn_cases::all_policies_learn());
}

TEST_CASE("AdaShare as it is served is its full form with the same decisions") {
  auto full = built_of(sharing({4}, {3, 2, 4}, 3));
  for (Index t = 0; t < 3; ++t)
    for (Index l = 0; l < 3; ++l) {
      const auto logits = full.theta.of(text("policies.", t)).subspan(std::size_t(2 * l), 2);
      logits[0] = (t + l) % 2 == 0 ? 500 : -500;  // u is 0 or 1, whatever the noise
      logits[1] = 0;
    }
  const auto served = output(full), in_full = output(full, {.draws = drawn});
  for (std::size_t i = 0; i < served.size(); ++i) CHECK(std::abs(served[i] - in_full[i]) < 1e-12);
}

TEST_CASE("blocks that no task executes are not computed, and what is alike is the same") {
  auto built = built_of(sharing({4}, {3, 2, 4}, 3));
  set_policy(built, 0, {1, 0, 0, 1, 1, 0});
  set_policy(built, 1, {1, 0, 0, 1, 1, 0});
  set_policy(built, 2, {1, 0, 0, 1, 0, 1});
  const auto wanted = output(built);
  for (double& value : built.theta.of("blocks.1.mlp_net.2.weight")) value = std::nan("");
  CHECK(output(built) == wanted);
  for (std::size_t b = 0; b < 4; ++b)
    for (std::size_t i = 0; i < 4; ++i)
      CHECK(wanted[12 * b + i] == wanted[12 * b + 4 + i]);  // tasks 0 and 1
  for (double& value : built.theta.of("blocks.2.mlp_net.2.bias")) value = std::nan("");
  const auto spoilt = output(built);
  CHECK(std::isnan(spoilt[4]));
  CHECK(std::equal(spoilt.begin() + 8, spoilt.begin() + 12, wanted.begin() + 8));
}

TEST_CASE("AdaShare's policy decides on more and more blocks, from the last on") {
  const SkipPolicy policy{.warmup_steps = 10, .curriculum_steps = 5};
  const auto decided = [&](Index step) {
    std::vector<bool> result;
    for (Index l = 0; l < 3; ++l) result.push_back(policy.decides(l, 3, step));
    return result;
  };
  CHECK(decided(9) == std::vector{false, false, false});
  CHECK(decided(10) == std::vector{false, false, true});
  CHECK(decided(14) == std::vector{false, false, true});
  CHECK(decided(15) == std::vector{false, true, true});
  CHECK(decided(20) == std::vector{true, true, true});
  CHECK(decided(largest_count) == std::vector{true, true, true});
  const SkipPolicy at_once{.warmup_steps = 2};
  CHECK(!at_once.decides(2, 3, 1));
  CHECK(at_once.decides(0, 3, 2));

  AdaShare description = sharing();
  description.policy.warmup_steps = 4;
  auto built = built_of(description);
  const auto warm = output(built, {.draws = drawn});
  for (Index t = 0; t < 2; ++t) set_policy(built, t, {1, 0, 1, 0});
  CHECK(warm == output(built));  // all blocks are executed
  CHECK(warm != output(built, {.draws = {.seed = 5, .step = 4}}));
}

TEST_CASE("what AdaShare shows is what its states are sums of") {
  auto built = built_of(sharing({4}, {3, 2}, 3));
  set_policy(built, 1, {1, 0, 0, 1});
  const auto x = built.input(4);
  for (const Draws draws : {Draws{}, drawn}) {
    Tensor<double> y(4, 3, 4);
    Network<double>::Workspace workspace;
    Scratch scratch;
    built.layer.forward(built.theta.view(), x.view(), y.view(), &workspace, scratch,
                        {.draws = draws});
    std::vector<std::vector<Matrix<double>>> sums, states;
    built.layer.watch(
        built.theta.view(), workspace, scratch,
        [&](Index, View3<const double> experts, View3<const double>, View3<const double> u) {
          sums.emplace_back();
          states.emplace_back();
          for (Index t = 0; t < 3; ++t) {
            sums.back().push_back(u.row(0)[2 * t] * experts.of_slot(2 * t) +
                                  u.row(0)[2 * t + 1] * experts.of_slot(2 * t + 1));
            states.back().push_back(experts.of_slot(2 * t + 1));
          }
        });
    REQUIRE(sums.size() == 2);
    for (std::size_t t = 0; t < 3; ++t) {
      CHECK((sums[0][t] - states[1][t]).norm() < 1e-14);
      CHECK((sums[1][t] - y.view().of_slot(static_cast<Index>(t))).norm() < 1e-14);
    }
  }
}

TEST_CASE("AdaShare allocates in its first step only, whatever is decided later") {
  AdaShare description = sharing({4}, {3, 2, 4}, 3);
  description.policy.warmup_steps = 2;
  description.policy.curriculum_steps = 1;
  auto built = built_of(description);
  const auto x = built.input(4), dy = built.output(4);
  Tensor<double> y(4, 3, 4), dx(4, 1, 5);
  Network<double>::Workspace workspace;
  Scratch scratch;
  ParamBuffer<double> grad(built.theta.shared_table());
  const auto step = [&](Draws draws) {
    built.layer.forward(built.theta.view(), x.view(), y.view(), &workspace, scratch,
                        {.draws = draws});
    built.layer.backward(built.theta.view(), x.view(), y.view(), dy.view(), dx.view(), workspace,
                         grad.grad(), scratch);
  };
  step({.seed = 1, .step = 0});
  const auto before = allocations::count();
  for (Index i = 1; i < 8; ++i) step({.seed = 1, .step = i});
  for (Index t = 0; t < 3; ++t) {
    for (double& logit : built.theta.of(t == 0 ? "policies.0" : "policies.2")) logit = -logit;
    step({});
  }
  CHECK(allocations::count() == before);
}

// 4 standard errors of 20,000 draws.
TEST_CASE("a block is executed as often as its logits say, at any temperature") {
  constexpr Index draws = 20000;
  const std::vector<double> a{0.4, -0.3};
  const double p = sigmoid(a[0] - a[1]);
  for (const double temperature : {0.2, 5.0}) {
    const SkipPolicy policy{.temperature = {.start = temperature, .rate = 1}, .hard = true};
    const SkipPolicy soft{.temperature = {.start = temperature, .rate = 1}};
    double executed = 0;
    std::vector<double> u(2), in_part(2), kept(3);
    for (Index step = 0; step < draws; ++step) {
      const CounterRandom stream = CounterRandom(2).at(static_cast<std::uint64_t>(step));
      policy.decide(0, 1, a.data(), Draws{.seed = 1, .step = step}, stream, u.data(), kept.data());
      soft.decide(0, 1, a.data(), Draws{.seed = 1, .step = step}, stream, in_part.data(),
                  kept.data());
      executed += u[0];
      REQUIRE(u[0] + u[1] == 1);
      REQUIRE((u[0] == 1) == (in_part[0] > 0.5));
    }
    CHECK(std::abs(executed / draws - p) < 4 * std::sqrt(p * (1 - p) / draws));
  }
}

TEST_CASE("AdaShare refuses what it cannot be") {
  const auto refused = [](const AdaShare& description, const std::string& message) {
    ParamTable table;
    CHECK_THROWS_WITH(build<float>(table, "", description),
                      Catch::Matchers::ContainsSubstring(message));
    CHECK_THROWS_AS(build<float>(table, "", description), ConfigError);
  };
  refused(sharing({4}, {}), "blocks");
  refused(sharing({4}, {3, 0}), "at least 1");
  refused(sharing({4}, {3}, 0), "num_tasks");
  AdaShare of = sharing();
  of.policy.warmup_steps = -1;
  refused(of, "warmup_steps");
  of.policy = {.curriculum_steps = std::numeric_limits<double>::infinity()};
  refused(of, "curriculum_steps");
  of.policy = {.temperature = {.start = 0}};
  refused(of, "temperature.start");
}

TEST_CASE("reach: AdaShare") {
  worked::check_reach_over_draws(built_of(sharing({3}, {4, 2})), "policies");
}
