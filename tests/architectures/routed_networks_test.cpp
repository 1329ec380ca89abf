// SNR and learning to branch: the worked examples with their own noise, gradients with fixed draws,
// how often what is drawn, and what is left out.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "architectures/drawn_cases.hpp"
#include "architectures/worked_example.hpp"
#include "plait/architectures/learning_to_branch.hpp"
#include "plait/architectures/snr.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/fusion/branch_choice.hpp"
#include "plait/fusion/hard_concrete.hpp"
#include "plait/penalties/l0.hpp"
#include "plait/penalties/penalties.hpp"
#include "plait/testing/build.hpp"
#include "plait/testing/gradcheck.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/with_options.hpp"

namespace {

using namespace plait;
using drawn_cases::branching;
using drawn_cases::built_of;
using drawn_cases::snr;
using fixtures::Json;
using worked::Example;
using worked::output;

constexpr Draws drawn{.seed = 5, .step = 3};

// Where weight (i, j) of level l is drawn.
CounterRandom place(const Draws& draws, Index l, Index i, Index j) {
  const auto n = [](Index v) { return static_cast<std::uint64_t>(v); };
  return stream_of(draws).at(n(l)).at(n(i)).at(n(j));
}
double logit(double u) { return std::log(u) - std::log1p(-u); }

template <class Scalar>
void check_snr(const std::string& name, SNRConnection connection) {
  Example<Scalar> example(name, SNR{.input_dim = 2,
                                    .num_tasks = 2,
                                    .num_experts = 2,
                                    .levels = {2},
                                    .connection = connection});
  const Json& params = example.fixture.at("params");
  const Json& grads = example.fixture.at("grads");
  const bool trans = connection == SNRConnection::trans;
  for (std::size_t j = 0; j < 2; ++j)
    example.set_network(text("experts.0.", j), params.at("lower").at(j));
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; trans && j < 2; ++j)
      example.set(text("transforms.1.", i, ".", j, ".mlp_net.0.weight"),
                  params.at("W").at(i).at(j));
  const auto a = example.values("log_alphas.1");
  example.set("log_alphas.1", params.at("log_alpha"));
  example.forward({});
  example.check_y("out_eval");

  const double lambda = example.fixture.at("config").at("lambda");
  const double l0 = example.fixture.at("outputs").at("L0_expected");
  ParamBuffer<Scalar> penalty(example.built.theta.shared_table());
  Penalties<Scalar> penalties(penalty.shared_table(), {{"l0", L0{.weight = lambda}}});
  CHECK(std::abs(penalties.add(example.built.theta, penalty) - lambda * l0) <
        (std::is_same_v<Scalar, double> ? 1e-10 : 1e-5));
  // a is moved by as much as the draw's noise differs from the example's.
  for (Index i = 0; i < 2; ++i)
    for (Index j = 0; j < 2; ++j) {
      const auto k = static_cast<std::size_t>(2 * i + j);
      const double u = example.fixture.at("inputs").at("U").at(std::size_t(i)).at(std::size_t(j));
      a[k] += static_cast<Scalar>(logit(u) - logit(place(drawn, 1, i, j).open_uniform()));
    }
  example.forward({.draws = drawn});
  example.check_y("out_train");
  example.backward();
  example.check(Example<Scalar>::flat(example.dx), grads.at("x"));
  for (std::size_t j = 0; j < 2; ++j)
    example.check_network(text("experts.0.", j), grads.at("lower").at(j));
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; trans && j < 2; ++j)
      example.check(example.gradient(text("transforms.1.", i, ".", j, ".mlp_net.0.weight")),
                    grads.at("W").at(i).at(j));
  const auto da = example.gradient("log_alphas.1");
  for (std::size_t k = 0; k < 4; ++k) da[k] += penalty.of("log_alphas.1")[k];
  example.check(da, grads.at("log_alpha"));
}

}  // namespace

TEMPLATE_TEST_CASE("math example B03: SNR-Trans", "", double, float) {
  check_snr<TestType>("B03_snr_trans", SNRConnection::trans);
}

TEMPLATE_TEST_CASE("math example B03b: SNR-Aver", "", double, float) {
  check_snr<TestType>("B03b_snr_aver", SNRConnection::aver);
}

TEMPLATE_TEST_CASE("math example B06: learning to branch", "", double, float) {
  using Scalar = TestType;
  Example<Scalar> example("B06_learning_to_branch",
                          LearningToBranch{.input_dim = 2,
                                           .num_tasks = 2,
                                           .num_experts = 2,
                                           .levels = {2, 2},
                                           .branches = {.temperature = {.start = 0.7, .rate = 1}}});
  const Json& params = example.fixture.at("params");
  const Json& grads = example.fixture.at("grads");
  for (std::size_t j = 0; j < 2; ++j) {
    example.set_network(text("experts.0.", j), params.at("parents").at(j));
    example.set_network(text("experts.1.", j), params.at("children").at(j));
  }
  example.set("branches.1", params.at("logits"));
  const auto a = example.values("branches.1");
  for (Index i = 0; i < 2; ++i)
    for (Index j = 0; j < 2; ++j) {
      const double noise =
          example.fixture.at("inputs").at("gumbel_noise").at(std::size_t(i)).at(std::size_t(j));
      a[static_cast<std::size_t>(2 * i + j)] +=
          static_cast<Scalar>(noise - gumbel(place(drawn, 1, i, j)));
    }
  example.forward({.draws = drawn});
  example.check_y("out");
  example.backward();
  example.check(Example<Scalar>::flat(example.dx), grads.at("x"));
  for (std::size_t j = 0; j < 2; ++j) {
    example.check_network(text("experts.0.", j), grads.at("parents").at(j));
    example.check_network(text("experts.1.", j), grads.at("children").at(j));
  }
  example.check(example.gradient("branches.1"), grads.at("logits"));
}

TEST_CASE("SNR's gradients are those of what was drawn") {
  for (const auto connection : {SNRConnection::trans, SNRConnection::aver})
    for (const auto& levels : std::vector<std::vector<Index>>{{4}, {4, 3}, {2, 4, 3}})
      for (Index step = -1; step < 4; ++step) {
        const auto built = built_of(snr(connection, levels));
        const auto report = testing::check_gradients(
            with_options::Layer{built.layer, {.draws = {.seed = 8, .step = step}}}, built.theta,
            built.input(3).view());
        INFO(report.text());
        CHECK(report.passed());
      }
}

// With the choice held, all but the logits; those as if z were p.
TEST_CASE("a branch is learned as if it had been taken in part") {
  const BranchChoice choice{.temperature = {.start = 0.8, .rate = 1}};
  const CounterRandom stream(3);
  std::vector<double> a{0.3, -0.4, 0.1, 0.6}, z(4), kept(5);
  choice.weigh(4, a.data(), drawn, stream, z.data(), kept.data());
  CHECK(std::ranges::count(z, 1.0) == 1);
  CHECK(std::ranges::count(z, 0.0) == 3);
  CHECK(std::ranges::max_element(z) - z.begin() ==
        std::max_element(kept.begin(), kept.end() - 1) - kept.begin());
  const auto report = drawn_cases::check_choice();
  INFO(report.text());
  CHECK(report.passed());
}

TEST_CASE("connections that a branch did not take have a gradient in its logits alone") {
  const auto built = built_of(branching());
  const auto x = built.input(4), dy = built.output(4);
  Tensor<double> y(4, 2, 3), dx(4, 1, 5);
  Network<double>::Workspace workspace;
  Scratch scratch;
  ParamBuffer<double> grad(built.theta.shared_table());
  const ForwardOptions options{.draws = drawn};
  built.layer.forward(built.theta.view(), x.view(), y.view(), &workspace, scratch, options);
  CHECK(Example<double>::flat(y) == output(built, options));
  built.layer.backward(built.theta.view(), x.view(), y.view(), dy.view(), dx.view(), workspace,
                       grad.grad(), scratch);
  Index unmoved = 0;
  for (const auto& entry : grad.table().entries()) {
    const auto numbers = grad.of(entry.id);
    const bool moves = std::ranges::any_of(numbers, [](double g) { return g != 0; });
    if (entry.name.starts_with("branches")) CHECK(moves);
    if (entry.name.starts_with("experts.0") && !moves) ++unmoved;
  }
  CHECK(unmoved >= 2);  // the weight and bias of at least one of three experts for two tasks
}

TEST_CASE("warm-up takes all branches") {
  LearningToBranch description = branching();
  description.branches.warmup_steps = 4;
  const auto built = built_of(description);
  const auto report = testing::check_gradients(with_options::Layer{built.layer, {.draws = drawn}},
                                               built.theta, built.input(3).view());
  INFO(report.text());
  CHECK(report.passed());
  CHECK(output(built, {.draws = drawn}) != output(built, {.draws = {.seed = 5, .step = 4}}));
  description.branches.warmup_steps = 3;
  const auto ended = built_of(description);
  CHECK(output(built, {.draws = drawn}) != output(ended, {.draws = drawn}));
}

// 4 standard errors of 20,000 draws.
TEST_CASE("connections are there as often as their logits say") {
  constexpr Index draws = 20000;
  const HardConcrete gate;
  const std::vector<double> a{-2.5, -0.4, 0.0, 1.3};
  std::vector<double> z(4), kept(4), nonzero(4), sum(4), squares(4);
  for (Index step = 0; step < draws; ++step) {
    gate.weigh(4, a.data(), Draws{.seed = 1, .step = step},
               CounterRandom(1).at(static_cast<std::uint64_t>(step)), z.data(), kept.data());
    for (std::size_t j = 0; j < 4; ++j) {
      nonzero[j] += z[j] != 0;
      sum[j] += z[j];
      squares[j] += z[j] * z[j];
    }
  }
  for (std::size_t j = 0; j < 4; ++j) {
    const double p = gate.nonzero_probability(a[j]);
    CHECK(std::abs(nonzero[j] / draws - p) < 4 * std::sqrt(p * (1 - p) / draws));
    // E z by the integral over U, in steps that are much finer than the error.
    constexpr Index points = 200000;
    double mean = 0;
    for (Index k = 0; k < points; ++k) {
      const double u = (static_cast<double>(k) + 0.5) / points;
      const double s = sigmoid((logit(u) + a[j]) / gate.beta);
      mean += (std::clamp)(s * (gate.zeta - gate.gamma) + gate.gamma, 0.0, 1.0) / points;
    }
    const double variance = squares[j] / draws - sum[j] * sum[j] / draws / draws;
    CHECK(std::abs(sum[j] / draws - mean) < 4 * std::sqrt(variance / draws));
  }
}

TEST_CASE("branches are chosen as often as the softmax of their logits, at any temperature") {
  constexpr Index draws = 20000;
  const std::vector<double> a{-0.5, 0.8, 0.0};
  double total = 0;
  for (const double logit : a) total += std::exp(logit);
  for (const double temperature : {0.2, 5.0}) {
    const BranchChoice choice{.temperature = {.start = temperature, .rate = 1}};
    std::vector<double> z(3), kept(4), count(3);
    for (Index step = 0; step < draws; ++step) {
      choice.weigh(3, a.data(), Draws{.seed = 1, .step = step},
                   CounterRandom(2).at(static_cast<std::uint64_t>(step)), z.data(), kept.data());
      for (std::size_t j = 0; j < 3; ++j) count[j] += z[j];
    }
    for (std::size_t j = 0; j < 3; ++j) {
      const double p = std::exp(a[j]) / total;
      CHECK(std::abs(count[j] / draws - p) < 4 * std::sqrt(p * (1 - p) / draws));
    }
  }
}

TEST_CASE("a temperature falls in steps, and no further than it may") {
  const Annealing annealing{.start = 4, .rate = 0.5, .every = 10, .least = 0.7};
  CHECK(annealing.at(0) == 4);
  CHECK(annealing.at(9) == 4);
  CHECK(annealing.at(10) == 2);
  CHECK(annealing.at(25) == 1);
  CHECK(annealing.at(30) == 0.7);
  CHECK(annealing.at(largest_count) == 0.7);
}

TEST_CASE("what no task is connected to is not computed") {
  const auto spoil = [](testing::Built<Network<double>>& built, const std::string& parameter) {
    for (double& value : built.theta.of(parameter)) value = std::nan("");
  };
  const auto set = [](testing::Built<Network<double>>& built, const std::string& parameter,
                      std::vector<double> numbers) {
    std::ranges::copy(numbers, built.theta.of(parameter).begin());
  };
  // Expert 1 of the first level leads to expert 0 above it alone, which no task reads.
  for (const auto connection : {SNRConnection::trans, SNRConnection::aver}) {
    auto built = built_of(snr(connection));
    set(built, "log_alphas.1", {1, 1, 1, 1, -9, 1, 1, -9, 1});
    set(built, "log_alphas.2", {-9, 1, 1, -9, 1, 0.5});
    const auto wanted = output(built);
    spoil(built, "experts.0.1.mlp_net.0.weight");
    if (connection == SNRConnection::trans) {
      spoil(built, "biases.1.0");
      spoil(built, "transforms.1.1.1.mlp_net.0.weight");
      spoil(built, "transforms.2.0.0.mlp_net.0.weight");
    } else {
      spoil(built, "experts.1.0.mlp_net.0.bias");
    }
    CHECK(output(built) == wanted);
    spoil(built, "experts.0.0.mlp_net.0.weight");
    CHECK(std::isnan(output(built).front()));
  }
  auto built = built_of(branching());
  set(built, "branches.1", {0, 3, 1, 2, 0, 1});
  const auto wanted = output(built);
  spoil(built, "experts.0.2.mlp_net.0.weight");
  CHECK(output(built) == wanted);
  spoil(built, "experts.0.0.mlp_net.0.weight");
  CHECK(std::isnan(output(built).back()));
  CHECK(!std::isnan(output(built).front()));
}

TEST_CASE("SNR and learning to branch refuse what they cannot be") {
  const auto refused = [](const auto& description, const std::string& message) {
    ParamTable table;
    CHECK_THROWS_WITH(build<float>(table, "", description),
                      Catch::Matchers::ContainsSubstring(message));
    CHECK_THROWS_AS(build<float>(table, "", description), ConfigError);
  };
  SNR of = snr(SNRConnection::trans);
  of.num_experts = 0;
  refused(of, "num_experts");
  of = snr(SNRConnection::trans, {});
  refused(of, "levels");
  of = snr(SNRConnection::trans, {4, 0});
  refused(of, "at least 1");
  of = snr(SNRConnection::trans);
  of.gates.beta = 0;
  refused(of, "beta");
  of.gates = {.gamma = 0};
  refused(of, "gamma");
  of.gates = {.zeta = 1};
  refused(of, "zeta");
  LearningToBranch other = branching();
  other.branches.temperature.start = std::numeric_limits<double>::infinity();
  refused(other, "temperature.start");
  other.branches.temperature = {.rate = 1.1};
  refused(other, "temperature.rate");
  other.branches.temperature = {.every = 0};
  refused(other, "temperature.every");
  other.branches.temperature = {.least = 0};
  refused(other, "temperature.least");
  other.branches = {.warmup_steps = -1};
  refused(other, "warmup_steps");
}

TEST_CASE("reach: learning to branch") {
  worked::check_reach_over_draws(built_of(branching({4, 3, 3})), "branches");
}
