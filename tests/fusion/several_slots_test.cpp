// Gates that read several slots, and experts with a description of their own.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plait/fusion/bank.hpp"
#include "plait/fusion/stack.hpp"
#include "plait/layers/gate.hpp"
#include "plait/model/model.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/testing/build.hpp"
#include "support/bare.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;

namespace {

const Body tanh_of_4{{4}, Activation::tanh};

// One level on three slots of 2, whose unit 0 weighs both experts by a gate on these slots.
Plan plan(std::vector<Index> slots, GateConfig gate = {}) {
  Plan result{{3, 2}, {{.expert = tanh_of_4, .gate = std::move(gate)}}};
  result.levels.front().route = {
      .experts = {{"a", 0}, {"b", 1}},
      .units = {{.experts = {0, 1},
                 .gate = GateRoute{"body", "gate", slots[0], {slots.begin() + 1, slots.end()}}},
                {.experts = {1}, .statics = StaticRoute{0, 1}}}};
  return result;
}
testing::Built<FusionStack<double>> built(const Plan& of) {
  return testing::build<double>(3,
                                [&](ParamTable& table) { return FusionStack<double>(table, of); });
}
// The weights of unit 0 [B, 2].
Matrix<double> weights(const testing::Built<FusionStack<double>>& stack, const Tensor<double>& x,
                       const ForwardOptions& options = {}) {
  FusionStack<double>::Workspace workspace;
  Scratch scratch;
  Tensor<double> y(x.batch(), 2, 4);
  stack.layer.forward(stack.theta, x, y, &workspace, scratch, options);
  Matrix<double> result;
  stack.layer.watch(stack.theta, workspace, scratch,
                    [&](Index, View3<const double>, View3<const double> g, View3<const double>) {
                      result = g.columns(0, 2).of_slot(0);
                    });
  return result;
}

}  // namespace

TEST_CASE("several slots: a gate reads them side by side, in the order of the route") {
  const auto stack = built(plan({2, 0}));
  const auto x = stack.input(6);
  const auto gate = testing::build<double>(
      1, [](ParamTable& table) { return Gate<double>(table, "body", "gate", 4, 2, {}); });
  ParamBuffer<double> theta = gate.theta;
  for (const auto& entry : theta.table().entries())
    std::ranges::copy(stack.theta.of(entry.name), theta.of(entry.id).begin());
  Matrix<double> joined(6, 4), expected(6, 2);
  joined << Matrix<double>(x.view().of_slot(2)), Matrix<double>(x.view().of_slot(0));
  Scratch scratch;
  gate.layer.forward(theta, View3<const double>(joined), View3<double>(expected), nullptr, scratch);
  CHECK(weights(stack, x) == expected);
}

TEST_CASE("several slots: what a gate reads has a gradient, and what nobody reads has none") {
  const auto dx_of = [](const Plan& of) {
    const auto stack = built(of);
    const auto x = stack.input(6), dy = stack.output(6);
    Tensor<double> y(6, 2, 4), dx(6, 3, 2);
    FusionStack<double>::Workspace workspace;
    ParamBuffer<double> grad(stack.theta.shared_table());
    Scratch scratch;
    stack.layer.forward(stack.theta, x, y, &workspace, scratch);
    stack.layer.backward(stack.theta, x, y.view(), dy.view(), dx, workspace, grad, scratch);
    return dx;
  };
  CHECK_FALSE(dx_of(plan({0, 2})).view().of_slot(2).isZero(0));
  CHECK(dx_of(plan({0, 1})).view().of_slot(2).isZero(0));
  const DSelectK none{.selectors = 1, .per_example = false};
  CHECK(dx_of(plan({0, 2}, {.dselect = none})).view().of_slot(2).isZero(0));
}

TEST_CASE("several slots: reach has every one of them") {
  const auto stack = built(plan({0, 2}));
  for (const Index unit : {0, 1}) {
    const bool live[2]{unit == 0, unit == 1};
    bool live_in[3]{};
    Scratch scratch;
    CHECK(stack.layer.reach(
        live, live_in, [](const ParamRange&) {}, scratch));
    CHECK(live_in[0] == (unit == 0));
    CHECK(live_in[1]);
    CHECK(live_in[2] == (unit == 0));
  }
}

TEST_CASE("several slots: plain gates that read the same several slots do not join") {
  const auto joints = [](std::vector<Index> slots) {
    Plan of = plan(std::move(slots));
    UnitRoute& second = of.levels.front().route.units[1];
    second.gate = of.levels.front().route.units[0].gate;
    second.gate->linear = "other";
    return built(of).theta.table().joints().size();
  };
  CHECK(joints({1}) == 1);
  CHECK(joints({1, 2}) == 0);
}

TEST_CASE("several slots: experts are dropped from such a gate as from any other") {
  const auto stack = built(plan({2, 0}));
  const auto x = stack.input(64);
  const ForwardOptions drops{.expert_dropout = {.rate = 0.5, .seed = 3, .step = 2}};
  const Matrix<double> whole = weights(stack, x), some = weights(stack, x, drops);
  Index dropped = 0;
  for (Index b = 0; b < 64; ++b) {
    CHECK(some.row(b).sum() == Approx(1));
    const bool same = (some.row(b) - whole.row(b)).cwiseAbs().maxCoeff() < 1e-14;
    CHECK((same || some.row(b).maxCoeff() == 1));
    dropped += some.row(b).maxCoeff() == 1 ? 1 : 0;
  }
  CHECK(dropped > 16);
}

TEST_CASE("several slots: those that are not there are refused") {
  for (const Index slot : {-1, 3})
    CHECK_THROWS_WITH(built(plan({0, slot})), text("plait::FusionLevel: slot of a gate: got ", slot,
                                                   ", expected at least 0, below 3"));
}

namespace {

// A trunk of one slot whose gate reads it twice, or once.
struct Twice {
  bool twice = true;
  Plan plan(ParamTable&, const std::string& prefix) const {
    Plan result{{1, 4}, {{.expert = tanh_of_4}}};
    GateRoute gate{"", join_name(prefix, "gate"), 0, {}};
    if (twice) gate.more_slots = {0};
    result.levels.front().route = {
        .experts = {{join_name(prefix, "a"), 0}, {join_name(prefix, "b"), 0}},
        .units = {{.experts = {0, 1}, .gate = gate}}};
    return result;
  }
};

}  // namespace

TEST_CASE("several slots: inputs cannot be split where a gate reads them as others") {
  CHECK_NOTHROW(Scorer(Model<double>(Twice{false}, {}, 1), {.shared_inputs = {0}}));
  CHECK_THROWS_WITH(Scorer(Model<double>(Twice{true}, {}, 1), {.shared_inputs = {0}}),
                    Catch::Matchers::ContainsSubstring("a layer that reads the input otherwise"));
}

namespace {

testing::Built<ExpertBank<double>> bank(const std::vector<std::optional<Body>>& own,
                                        const Body& of_level) {
  std::vector<ExpertRoute> routes;
  for (const auto& body : own) routes.push_back({text("experts.", routes.size()), 0, body});
  return testing::build<double>(3, [&](ParamTable& table) {
    return ExpertBank<double>(table, routes, {1, 3}, of_level);
  });
}

}  // namespace

TEST_CASE("own experts: each is what its description says") {
  const Body deep{{5, 4}, Activation::silu}, bare = BareMLP{{4}};
  const auto made = bank({std::nullopt, deep, bare}, {4});
  const auto x = made.input(5);
  Tensor<double> y(5, 3, 4);
  Scratch scratch;
  made.layer.forward(made.theta, x, y, nullptr, scratch);
  const std::vector<Body> bodies{{4}, deep, bare};
  for (Index e = 0; e < 3; ++e) {
    const auto one =
        testing::build<double>(1, bodies[static_cast<std::size_t>(e)], 3, text("experts.", e));
    ParamBuffer<double> theta = one.theta;
    for (const auto& entry : theta.table().entries())
      std::ranges::copy(made.theta.of(entry.name), theta.of(entry.id).begin());
    Tensor<double> expected(5, 1, 4);
    one.layer.forward(theta, x, expected, nullptr, scratch);
    CHECK(y.view().of_slot(e) == expected.view().of_slot(0));
  }
  // As many parameters as they have, and no more.
  CHECK(made.theta.table().entries().size() == 2 + 4 + 2);
}

TEST_CASE("own experts: a bank ends in a ReLU when all of its experts do") {
  const Body tanh{{4}, Activation::tanh}, deep{5, 4};
  CHECK(bank({std::nullopt, std::nullopt}, {4}).layer.ends_in_relu());
  CHECK(bank({std::nullopt, deep}, {4}).layer.ends_in_relu());
  CHECK(bank({deep, deep}, tanh).layer.ends_in_relu());
  CHECK_FALSE(bank({std::nullopt, tanh}, {4}).layer.ends_in_relu());
  CHECK_FALSE(bank({std::nullopt, deep}, tanh).layer.ends_in_relu());
  CHECK_FALSE(bank({std::nullopt, Body(BareMLP{{4}})}, {4}).layer.ends_in_relu());
}

TEST_CASE("own experts: a bank draws when one of them does") {
  const Body drops{{4}, Activation::relu, true, 0.2};
  CHECK(bank({std::nullopt, drops}, {4}).layer.draws());
  CHECK_FALSE(bank({Body{4}, Body{4}}, drops).layer.draws());
}

TEST_CASE("own experts: another width is refused") {
  CHECK_THROWS_AS(bank({std::nullopt, Body{5}}, {4}), ConfigError);
  CHECK_THROWS_WITH(bank({std::nullopt, Body{5}}, {4}),
                    "plait::ExpertBank: experts.1: got a width of 5, expected 4, as the others");
}
