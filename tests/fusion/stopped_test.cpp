// Stop-gradients of a route: a unit weighs another task's experts without teaching them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "fusion/frozen_experts.hpp"
#include "plait/core/reach.hpp"
#include "plait/model/trunk.hpp"
#include "plait/testing/build.hpp"
#include "support/catch.hpp"

using namespace plait;

namespace {

// Experts 0 and 1 are task 0's, 2 is task 1's, 3 is shared.
own::Stem stem(bool stops, Index levels = 1) {
  own::Stem result{.input_dim = 3, .num_tasks = 2, .task_experts = {2, 1}, .stops = stops};
  for (Index l = 0; l < levels; ++l) result.levels.push_back({{4}, Activation::tanh});
  return result;
}

// A forward, and a backward of a dy that may be of one task alone.
struct Run {
  testing::Built<Network<double>> built;
  Tensor<double> x, dy, y, dx;
  ParamBuffer<double> grad;
  Network<double>::Workspace workspace{};
  Scratch scratch{};

  explicit Run(const own::Stem& config)
      : built(testing::build<double>(3, config)),
        x(built.input(6)),
        dy(built.output(6)),
        y(6, 2, 4),
        dx(6, 1, 3),
        grad(built.theta.shared_table()) {
    built.layer.forward(built.theta, x, y, &workspace, scratch);
  }
  void only_task(Index t) { dy.view().of_slot(1 - t).setZero(); }
  void backward(Flags live = {}) {
    grad.set_zero();
    built.layer.backward(built.theta, x, y.view(), dy.view(), dx, workspace, grad, scratch, live);
  }
  std::vector<double> gradient_of(const std::string& name) const {
    const auto numbers = grad.of(name);
    return {numbers.begin(), numbers.end()};
  }
  bool has_gradient(const std::string& name) const {
    return std::ranges::any_of(grad.of(name), [](double g) { return g != 0; });
  }
  std::vector<bool> reached(const bool (&live)[2], bool& tells) {
    std::vector<bool> result(grad.flat().size());
    bool live_in[1]{};
    tells = built.layer.reach(
        live, live_in,
        [&](const ParamRange& range) {
          std::fill_n(result.begin() + range.offset, range.size, true);
        },
        scratch);
    return result;
  }
};

std::string expert(Index level, Index k, const char* kind = "weight") {
  return text("experts.", level, ".", k, ".mlp_net.0.", kind);
}
constexpr bool alone[2][2]{{true, false}, {false, true}};

}  // namespace

TEST_CASE("stopped: outputs are those without stops") {
  for (const Index levels : {1, 2}) {
    Run with(stem(true, levels)), without(stem(false, levels));
    CHECK(std::ranges::equal(testing::flat(with.y), testing::flat(without.y)));
    Tensor<double> alone_y(6, 2, 4);
    with.built.layer.forward(with.built.theta, with.x, alone_y, nullptr, with.scratch);
    CHECK(std::ranges::equal(testing::flat(with.y), testing::flat(alone_y)));
  }
}

TEST_CASE("stopped: a task teaches its own experts and the shared ones, never another's") {
  for (const Index t : {0, 1}) {
    Run with(stem(true)), without(stem(false));
    for (Run* run : {&with, &without}) {
      run->only_task(t);
      run->backward();
    }
    for (const Index k : {0, 1, 2, 3}) {
      const bool foreign = k < 3 && (k < 2) != (t == 0);
      for (const char* kind : {"weight", "bias"}) {
        INFO("task " << t << ", " << kind << " of expert " << k);
        const std::vector<double> got = with.gradient_of(expert(0, k, kind));
        CHECK(without.has_gradient(expert(0, k, kind)));
        if (foreign)
          CHECK(got == std::vector<double>(got.size(), 0.0));
        else
          CHECK(got == without.gradient_of(expert(0, k, kind)));
      }
    }
    // The gate learns from all that it weighs.
    for (const char* kind : {"weight", "bias"}) {
      const std::string gate = text("gate_weights.0.", t, ".0.", kind);
      CHECK(with.has_gradient(gate));
      CHECK(with.gradient_of(gate) == without.gradient_of(gate));
    }
  }
}

TEST_CASE("stopped: what a unit stops is not in its reach") {
  for (const Index t : {0, 1}) {
    Run run(stem(true));
    bool tells = false;
    const auto reached = run.reached(alone[t], tells);
    CHECK(tells);
    for (const auto& entry : run.grad.table().entries()) {
      INFO("task " << t << ", " << entry.name);
      const bool others_expert =
          t == 0 ? entry.name.starts_with("experts.0.2")
                 : entry.name.starts_with("experts.0.0") || entry.name.starts_with("experts.0.1");
      const bool others_gate = entry.name.starts_with(text("gate_weights.0.", 1 - t));
      CHECK(reached[static_cast<std::size_t>(entry.id.offset)] == !(others_expert || others_gate));
    }
  }
  // An expert of a lower level is reached through the shared unit, which stops nothing.
  Run deep(stem(true, 2));
  bool tells = false;
  const auto reached = deep.reached(alone[0], tells);
  CHECK(tells);
  CHECK(reached[static_cast<std::size_t>(deep.grad.table().at(expert(0, 2)).id.offset)]);
  CHECK(!reached[static_cast<std::size_t>(deep.grad.table().at(expert(1, 2)).id.offset)]);
}

TEST_CASE("stopped: backward of live tasks agrees with the whole one") {
  for (const Index levels : {1, 2, 3})
    for (const bool stops : {true, false})
      for (const Index t : {0, 1}) {
        INFO(levels << " levels, task " << t << (stops ? ", stopped" : ""));
        Run masked(stem(stops, levels)), whole(stem(stops, levels));
        whole.only_task(t);
        whole.backward();
        masked.dy.view().of_slot(1 - t).setConstant(std::numeric_limits<double>::quiet_NaN());
        masked.backward(alone[t]);
        CHECK(testing::distance<double>(masked.grad.flat(), whole.grad.flat()) < 1e-13);
        CHECK(testing::distance<double>(testing::flat(masked.dx), testing::flat(whole.dx)) < 1e-13);
      }
}

TEST_CASE("stopped: an expert that every unit stops learns nothing and passes nothing on") {
  Plan plan{{2, 3}, {{.expert = {{4}, Activation::tanh}}}};
  LevelRoute& route = plan.levels.front().route;
  route.experts = {{"a", 0}, {"b", 1}};
  route.units = {{.experts = {0, 1}, .gate = GateRoute{"", "g", 0}, .stopped = {1}},
                 {.experts = {1, 0}, .statics = StaticRoute{0, 2}, .stopped = {0}}};
  auto table = std::make_shared<ParamTable>();
  const FusionStack<double> layer(*table, plan);
  ParamBuffer<double> theta(table), grad(table);
  Random random(8);
  initialise(theta, random);
  const auto x = testing::normal_tensor<double>(5, layer.in_shape(), random);
  const auto dy = testing::normal_tensor<double>(5, layer.out_shape(), random);
  Tensor<double> y(5, 2, 4), dx(5, 2, 3);
  FusionStack<double>::Workspace workspace;
  Scratch scratch;
  testing::flat(dx)[0] = 7;
  layer.forward(theta, x, y, &workspace, scratch);
  layer.backward(theta, x, y.view(), dy.view(), dx, workspace, grad, scratch);
  CHECK(std::ranges::all_of(grad.of("b.mlp_net.0.weight"), [](double g) { return g == 0; }));
  CHECK(std::ranges::any_of(grad.of("a.mlp_net.0.weight"), [](double g) { return g != 0; }));
  CHECK(std::ranges::any_of(grad.of("g.weight"), [](double g) { return g != 0; }));
  CHECK(dx.view().of_slot(1).isZero(0));
  CHECK(!dx.view().of_slot(0).isZero());
}

TEST_CASE("stopped: gradients are those of the function whose stopped experts are constant") {
  const auto stems = zoo::frozen_stems();
  for (std::size_t i = 0; i < stems.size(); ++i) {
    const auto report = zoo::check_frozen(stems[i]);
    INFO("route " << i << ": " << report.text());
    CHECK(report.passed());
  }
}

TEST_CASE("stopped: positions that are not there are refused") {
  for (const Index position : {-1, 1}) {
    Plan plan{{1, 3}, {{.expert = {2}}}};
    plan.levels.front().route = {
        {{"a"}}, {{.experts = {0}, .statics = StaticRoute{0, 1}, .stopped = {position}}}};
    ParamTable table;
    CHECK_THROWS_WITH(FusionStack<double>(table, plan),
                      text("plait::FusionLevel: stopped position: got ", position,
                           ", expected at least 0, below 1"));
  }
}
