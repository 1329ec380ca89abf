// What layers tell of the probabilities with which they draw: the formulas, on parameters that are
// set here, and what is drawn in the end.
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "architectures/drawn_cases.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/core/drawn_routes.hpp"
#include "plait/fusion/hard_concrete.hpp"
#include "plait/fusion/skip_policy.hpp"
#include "support/catch.hpp"

namespace {

using namespace plait;
using drawn_cases::branching;
using drawn_cases::built_of;
using drawn_cases::sharing;
using drawn_cases::snr;

void set(testing::Built<Network<double>>& built, const std::string& name,
         const std::vector<double>& numbers) {
  const auto to = built.theta.of(name);
  REQUIRE(to.size() == numbers.size());
  std::copy(numbers.begin(), numbers.end(), to.begin());
}

const std::vector<double> logits{0, 1.5, -2, 0.25, 4, -0.5};  // [2, 3]

}  // namespace

TEST_CASE("drawn_routes: SNR's connections are there with P(z != 0)") {
  SNR description = snr(SNRConnection::trans);
  for (const double beta : {2.0 / 3, 0.5}) {
    description.gates = {.beta = beta, .gamma = -0.2, .zeta = 1.3};
    auto built = built_of(description);
    set(built, "log_alphas.2", logits);  // of the tasks, over three experts
    const DrawnRoutes drawn = built.layer.drawn_routes(built.theta);
    CHECK(drawn.blocks.size() == 0);
    REQUIRE(drawn.levels.size() == 2);
    CHECK(drawn.levels[0].rows() == 3);
    CHECK(drawn.levels[0].cols() == 3);
    REQUIRE(drawn.levels[1].rows() == 2);
    for (Index i = 0; i < 2; ++i)
      for (Index j = 0; j < 3; ++j) {
        const double a = logits[static_cast<std::size_t>(3 * i + j)];
        CHECK(drawn.levels[1](i, j) ==
              Approx(1 / (1 + std::exp(-(a - beta * std::log(0.2 / 1.3))))).epsilon(1e-14));
      }
  }
}

TEST_CASE("drawn_routes: learning to branch takes an expert with its logit's softmax") {
  auto built = built_of(branching());
  set(built, "branches.1", logits);
  const DrawnRoutes drawn = built.layer.drawn_routes(built.theta);
  CHECK(drawn.blocks.size() == 0);
  REQUIRE(drawn.levels.size() == 1);
  REQUIRE(drawn.levels[0].rows() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    double total = 0;
    for (std::size_t j = 0; j < 3; ++j) total += std::exp(logits[3 * i + j]);
    for (std::size_t j = 0; j < 3; ++j)
      CHECK(drawn.levels[0](static_cast<Index>(i), static_cast<Index>(j)) ==
            Approx(std::exp(logits[3 * i + j]) / total).epsilon(1e-14));
  }
  set(built, "branches.1", {1000, -1000, 0, -1e300, 1e300, 0});  // no overflow
  const DrawnRoutes far = built.layer.drawn_routes(built.theta);
  CHECK(far.levels[0] == (Matrix<double>(2, 3) << 1, 0, 0, 0, 1, 0).finished());
}

TEST_CASE("drawn_routes: AdaShare's tasks execute a block with the logits' softmax") {
  auto built = built_of(sharing({4}, {3, 2, 3}));
  set(built, "policies.0", logits);  // [blocks, 2]: to execute, to skip
  set(built, "policies.1", {0, 0, 1, 3, -1, -1});
  const DrawnRoutes drawn = built.layer.drawn_routes(built.theta);
  CHECK(drawn.levels.empty());
  REQUIRE(drawn.blocks.rows() == 2);
  REQUIRE(drawn.blocks.cols() == 3);
  const auto sigmoid = [](double a) { return 1 / (1 + std::exp(-a)); };
  CHECK(drawn.blocks(0, 0) == Approx(sigmoid(0 - 1.5)).epsilon(1e-14));
  CHECK(drawn.blocks(0, 1) == Approx(sigmoid(-2 - 0.25)).epsilon(1e-14));
  CHECK(drawn.blocks(0, 2) == Approx(sigmoid(4 + 0.5)).epsilon(1e-14));
  CHECK(drawn.blocks(1, 0) == 0.5);
  CHECK(drawn.blocks(1, 1) == Approx(sigmoid(-2)).epsilon(1e-14));
  CHECK(drawn.blocks(1, 2) == 0.5);
}

TEST_CASE("drawn_routes: as often as it is drawn") {
  constexpr Index steps = 20000;
  const double tolerance = 5 * 0.5 / std::sqrt(static_cast<double>(steps));
  const double a[]{0.7, -0.4, 0.1};
  double connected[3], chosen[3], z[3], u[2], kept[4];
  const HardConcrete connection;
  const BranchChoice branch{.temperature = {.start = 3}};
  const SkipPolicy policy{.temperature = {.start = 3}, .hard = true};
  connection.probabilities(3, a, connected);
  branch.probabilities(3, a, chosen);
  Index connections[3]{}, choices[3]{}, executions = 0;
  for (Index step = 0; step < steps; ++step) {
    const Draws draws{.seed = 3, .step = step};
    connection.weigh(3, a, draws, stream_of(draws), z, kept);
    for (int j = 0; j < 3; ++j) connections[j] += z[j] != 0;
    branch.weigh(3, a, draws, stream_of(draws), z, kept);
    for (int j = 0; j < 3; ++j) choices[j] += z[j] != 0;
    policy.decide(0, 1, a, draws, stream_of(draws), u, kept);
    executions += u[0] == 1;
  }
  const auto share = [](Index count) { return static_cast<double>(count) / steps; };
  for (int j = 0; j < 3; ++j) {
    CHECK(std::abs(share(connections[j]) - connected[j]) < tolerance);
    CHECK(std::abs(share(choices[j]) - chosen[j]) < tolerance);
  }
  CHECK(std::abs(share(executions) - SkipPolicy::executed_probability(a)) < tolerance);
}

TEST_CASE("drawn_routes: a trunk that draws nothing tells nothing") {
  const auto built = testing::build<double>(
      1, Trunk<double>(MMoE{.input_dim = 3, .num_tasks = 2, .num_experts = 2, .expert = {4}}));
  const DrawnRoutes drawn = built.layer.drawn_routes(built.theta);
  CHECK(drawn.levels.empty());
  CHECK(drawn.blocks.size() == 0);
}
