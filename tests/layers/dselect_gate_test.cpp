// DSelect-k: worked numbers, the definition written out, gradients, the layers' contract.
#include "plait/layers/dselect_gate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "layers/dselect_cases.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/core/parallel.hpp"
#include "plait/layers/gate.hpp"
#include "plait/testing/layer_suite.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"

using Catch::Matchers::ContainsSubstring;
using plait::DSelectK;
using plait::Index;
using plait::ParamBuffer;
using plait::ParamTable;
using plait::Scratch;
using plait::Tensor;

namespace {

// A fixture's parameters, or their gradients, beside their names under the prefix of a gate.
template <class Visit>
void visit_gate(const fixtures::Json& tensors, const std::string& prefix, const Visit& visit) {
  for (const std::string part : {"z", "w"}) {
    const auto& tensor = tensors.at(part);
    if (tensor.is_object()) {
      visit(prefix + "." + part + ".weight", tensor.at("W"));
      visit(prefix + "." + part + ".bias", tensor.at("b"));
    } else {
      visit(prefix + "." + part, tensor);
    }
  }
}
template <class Visit>
void visit_experts(const fixtures::Json& tensors, const Visit& visit) {
  Index e = 0;
  for (const auto& expert : tensors.at("experts")) {
    const std::string name = plait::text("experts.0.", e++, ".mlp_net.0");
    visit(name + ".weight", expert.at(0).at("W"));
    visit(name + ".bias", expert.at(0).at("b"));
  }
}

template <class Scalar>
void check_close(std::span<const Scalar> got, const fixtures::Json& expected) {
  auto wanted = fixtures::tensor<double>(expected);
  const auto numbers = plait::testing::flat(wanted);
  REQUIRE(got.size() == numbers.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    CHECK(static_cast<double>(got[i]) == Approx(numbers[i])
                                             .epsilon(sizeof(Scalar) == 8 ? 1e-10 : 1e-5)
                                             .margin(sizeof(Scalar) == 8 ? 1e-10 : 1e-5));
}

// One task over three experts: the level's part of the loss, then the regularisers of a gate of the
// same numbers.
template <class Scalar>
void check_fixture(const char* name, bool per_example) {
  const auto fixture = fixtures::load(name);
  const DSelectK config{.selectors = 2, .gamma = 1, .per_example = per_example};
  auto level = plait::testing::build<Scalar>(
      1, plait::Trunk<Scalar>(plait::MMoE{.input_dim = 2,
                                          .num_tasks = 1,
                                          .num_experts = 3,
                                          .expert = {2},
                                          .gate = {.dselect = config}}));
  auto gate = plait::testing::build<Scalar>(1, [&](ParamTable& table) {
    return plait::DSelectGate<Scalar>(table, "gate", 2, 3, config);
  });
  const auto copy_to = [&](ParamBuffer<Scalar>& theta) {
    return [&](const std::string& parameter, const fixtures::Json& json) {
      auto numbers = fixtures::tensor<Scalar>(json);
      std::ranges::copy(plait::testing::flat(numbers), theta.of(parameter).begin());
    };
  };
  const std::string prefix = "gates.0.0.1";
  visit_experts(fixture.at("params"), copy_to(level.theta));
  visit_gate(fixture.at("params"), prefix, copy_to(level.theta));
  visit_gate(fixture.at("params"), "gate", copy_to(gate.theta));

  const auto x = fixtures::tensor<Scalar>(fixture.at("inputs").at("x"));
  const auto dy = fixtures::tensor<Scalar>(fixture.at("inputs").at("d_out"));
  Tensor<Scalar> y(2, 1, 2), dx(2, 1, 2), weights(2, 1, 3);
  ParamBuffer<Scalar> grad(level.theta.shared_table()), of_gate(gate.theta.shared_table());
  typename plait::Network<Scalar>::Workspace workspace;
  typename plait::DSelectGate<Scalar>::Workspace recorded;
  Scratch scratch;
  level.layer.forward(level.theta, x, y, &workspace, scratch);
  level.layer.backward(level.theta, x, y, dy, dx, workspace, grad, scratch);
  gate.layer.forward(gate.theta, x, weights, &recorded, scratch);
  const double penalty =
      gate.layer.add_penalty(gate.theta, x, {.entropy = 0.01}, dx, recorded, of_gate, scratch);

  const auto& outputs = fixture.at("outputs");
  check_close<Scalar>(plait::testing::flat(y), outputs.at("out"));
  const auto rows = outputs.at("expert_weights").size();
  for (std::size_t b = 0; b < 2; ++b)
    check_close<Scalar>({weights.view().row(static_cast<Index>(b)), 3},
                        outputs.at("expert_weights").at(rows == 2 ? b : 0));
  CHECK(penalty == Approx(outputs.at("regulariser_value").get<double>())
                       .epsilon(sizeof(Scalar) == 8 ? 1e-12 : 1e-5));
  const auto& grads = fixture.at("grads");
  check_close<Scalar>(plait::testing::flat(dx), grads.at("x"));
  visit_experts(grads, [&](const std::string& parameter, const fixtures::Json& json) {
    check_close<Scalar>(grad.of(parameter), json);
  });
  visit_gate(grads, prefix, [&](const std::string& parameter, const fixtures::Json& json) {
    const auto sum = grad.of(parameter);
    const auto more = of_gate.of("gate" + parameter.substr(prefix.size()));
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
    check_close<Scalar>(sum, json);
  });
}

}  // namespace

TEST_CASE("DSelect-k: the worked numbers, with the regularisers") {
  check_fixture<double>("B08_dselect_k_example", true);
  check_fixture<float>("B08_dselect_k_example", true);
  check_fixture<double>("B08b_dselect_k_static", false);
  check_fixture<float>("B08b_dselect_k_static", false);
}

TEST_CASE("DSelect-k: weights are the definition's, with exact zeros") {
  Index zeros = 0, others = 0;
  for (Index n = 1; n <= 20; ++n)
    for (const Index k : {1, 3}) {
      const Index bits = plait::kernels::code_bits(n);
      REQUIRE((n <= Index{1} << bits && (bits == 0 || n > Index{1} << (bits - 1))));
      const auto [got, expected] = dselect::weights(n, k);
      for (std::size_t e = 0; e < got.size(); ++e) {
        CHECK(got[e] == Approx(expected[e]).epsilon(1e-12).margin(1e-15));
        CHECK((got[e] == 0) == (expected[e] == 0));
        ++(got[e] == 0 ? zeros : others);
      }
    }
  CHECK(zeros > 50);
  CHECK(others > 50);
}

TEST_CASE("DSelect-k: of saturated selectors each has one expert, the one of its bits") {
  auto gate = plait::testing::build<float>(1, [&](ParamTable& table) {
    return plait::DSelectGate<float>(table, "gate", 2, 8, {.selectors = 2, .per_example = false});
  });
  const auto z = gate.theta.of("gate.z");
  const std::vector<float> bits{1, -1, 1, -0.5F, 0.5F, 7};  // 5 and 3; half of γ is enough
  std::ranges::copy(bits, z.begin());
  Tensor<float> x(3, 1, 2), q(3, 1, 8);
  Scratch scratch;
  gate.layer.forward(gate.theta, x, q, nullptr, scratch);
  for (Index b = 0; b < 3; ++b)
    for (Index e = 0; e < 8; ++e) CHECK((q.view()(b, 0, e) > 0) == (e == 5 || e == 3));
  CHECK(q.view()(2, 0, 5) + q.view()(2, 0, 3) == Approx(1));
}

TEST_CASE("DSelect-k: gradients against finite differences") {
  Index saturated = 0, inside = 0;
  for (const auto& c : dselect::cases()) {
    INFO(dselect::name_of(c));
    const auto gate = dselect::built(c);
    const auto x = gate.input(5);
    const auto report =
        plait::testing::check_gradients(gate.layer, gate.theta, x.view(), {.tolerance = 1e-7});
    INFO(report.text());
    CHECK(report.passed());
    CHECK(report.kinks == 0);

    Tensor<double> y(5, 1, c.experts);
    dselect::Gate::Workspace workspace;
    Scratch scratch;
    gate.layer.forward(gate.theta, x, y, &workspace, scratch);
    if (c.experts == 1) continue;
    for (const double z : plait::testing::flat(workspace.z)) {
      const double t = std::abs(z) / c.config.gamma;
      CHECK(std::abs(t - 0.5) > 5e-4);  // no kink of the second derivative where it is taken
      ++(t > 0.5 ? saturated : inside);
    }
  }
  CHECK(saturated > 100);
  CHECK(inside > 100);
}

TEST_CASE("DSelect-k: the regularisers' gradients against finite differences") {
  for (auto c : dselect::cases()) {
    if (c.experts == 1 || c.spread > 0.5) continue;
    c.spread = 0.1;  // where numbers from n on take everything the sum is infinite
    INFO(dselect::name_of(c));
    for (const plait::DSelectPenalty& penalty :
         {plait::DSelectPenalty{.entropy = 0.3, .reachable = 1},
          plait::DSelectPenalty{.entropy = 0, .reachable = 0.5},
          plait::DSelectPenalty{.entropy = 2, .reachable = 0}}) {
      const bool nothing = penalty.entropy == 0 && (c.experts & (c.experts - 1)) == 0;
      const auto report = dselect::check_penalty(c, penalty);
      INFO(report.text());
      CHECK(report.passed());
      CHECK((report.worst.numeric == 0 && report.worst.analytic == 0) == nothing);
    }
  }
}

TEST_CASE("DSelect-k: a selector that is lost costs infinitely much and has no gradient") {
  auto gate = plait::testing::build<double>(1, [&](ParamTable& table) {
    return dselect::Gate(table, "gate", 2, 3, {.selectors = 2, .per_example = false});
  });
  std::ranges::fill(gate.theta.of("gate.z"), 1.0);  // number 3
  gate.theta.of("gate.z")[3] = 0.2;                 // the second one's, between 2 and 3
  Tensor<double> x(4, 1, 2), q(4, 1, 3);
  dselect::Gate::Workspace workspace;
  Scratch scratch;
  ParamBuffer<double> grad(gate.theta.shared_table());
  gate.layer.forward(gate.theta, x, q, &workspace, scratch);
  CHECK(gate.layer.add_penalty(gate.theta, x, {.entropy = 0.1}, {}, workspace, grad, scratch) ==
        std::numeric_limits<double>::infinity());
  const auto dz = grad.of("gate.z");
  CHECK((dz[0] == 0 && dz[1] == 0 && dz[2] == 0));
  CHECK((std::isfinite(dz[3]) && dz[3] > 0));
}

TEST_CASE("DSelect-k: the contract of every layer") {
  plait::ThreadPool pool(3);
  const plait::testing::SuiteOptions options{.executor = &pool,
                                             .count_allocations = allocations::count};
  for (const auto& c : dselect::cases()) {
    INFO(dselect::name_of(c));
    const auto gate = dselect::built(c);
    const auto report = plait::testing::check_layer(gate.layer, gate.theta, options);
    INFO(report.text());
    CHECK(report.passed());
  }
}

TEST_CASE("DSelect-k: parameters start where the source starts them") {
  const auto check = [](const plait::DSelectK& config, std::size_t tensors) {
    const auto gate = plait::testing::build<double>(
        1, [&](ParamTable& table) { return dselect::Gate(table, "gate", 64, 16, config); });
    const auto& entries = gate.theta.table().entries();
    CHECK(entries.size() == tensors);
    for (const auto& entry : entries) {
      INFO(entry.name);
      const double bound = entry.name.starts_with("gate.z") ? config.gamma / 100 : 0.05;
      CHECK(entry.init.kind == plait::Init::Kind::uniform);
      CHECK(entry.init.value == bound);
      CHECK(entry.is_last == entry.is_weight);
      CHECK(entry.is_weight == entry.name.ends_with(".weight"));
    }
  };
  check({.selectors = 3, .gamma = 2}, 4);
  check({.selectors = 3, .gamma = 2, .per_example = false}, 2);
}

TEST_CASE("DSelect-k: settings that cannot be are refused") {
  const auto build = [](const plait::GateConfig& config, Index experts = 4,
                        plait::ParamBudget budget = {}) {
    return [=] {
      ParamTable table(budget);
      plait::Gate<float>(table, "body", "gate", 3, experts, config);
    };
  };
  const auto refuses = [&](const plait::GateConfig& config, const char* message) {
    CHECK_THROWS_AS(build(config)(), plait::ConfigError);
    CHECK_THROWS_WITH(build(config)(), message);
  };
  refuses({.dselect = DSelectK{.selectors = 0}},
          "plait::DSelectGate: selectors: got 0, expected at least 1");
  refuses({.dselect = DSelectK{.gamma = 0}},
          "plait::DSelectGate: gamma: got 0, expected a positive, finite number");
  refuses({.dselect = DSelectK{.gamma = std::numeric_limits<double>::quiet_NaN()}},
          "plait::DSelectGate: gamma: got nan, expected a positive, finite number");
  refuses({.dselect = DSelectK{.gamma = 1e60}},  // of float
          "plait::DSelectGate: gamma: got 1e+60, expected a positive, finite number");
  refuses({.temperature = 2, .dselect = DSelectK{}},
          "plait::Gate: temperature: got 2, expected 1 with dselect");
  refuses({.body = {8}, .dselect = DSelectK{.per_example = false}},
          "plait::Gate: body: got hidden layers, expected none with dselect of static routing");
  refuses({.bias = false, .dselect = DSelectK{.per_example = false}},
          "plait::Gate: bias: got false, expected true with dselect of static routing");
  CHECK_NOTHROW(build({.body = {8}, .bias = false, .dselect = DSelectK{}})());

  // Sizes as a file may name them, before any memory.
  const plait::ParamBudget small{.tensors = 100, .activations = 1000, .terms = 1000};
  for (const bool per_example : {true, false}) {
    const DSelectK many{.selectors = 1'000'000'000, .per_example = per_example};
    const std::size_t before = allocations::bytes();
    CHECK_THROWS_WITH(build({.dselect = many}, 4, small)(),
                      ContainsSubstring("activations of a row: got 1000000000"));
    CHECK(allocations::bytes() - before < 10'000);
    CHECK_NOTHROW(build({.dselect = many}, 1, small)());  // nothing to choose from
    const DSelectK few{.selectors = 100, .per_example = per_example};
    CHECK_THROWS_WITH(build({.dselect = few}, 100, small)(),
                      ContainsSubstring("terms of a row's sums: got 100 x 256"));
    const DSelectK most{.selectors = std::numeric_limits<Index>::max(), .per_example = per_example};
    CHECK_THROWS_AS(build({.dselect = most})(), plait::ConfigError);
  }
}
