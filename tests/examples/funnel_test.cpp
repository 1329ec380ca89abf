// examples/custom_routing: what docs/adding_an_architecture.md builds, as its author would test it.
#include "../../examples/custom_routing/funnel.hpp"

#include <algorithm>
#include <memory>
#include <plait/testing/gradcheck.hpp>
#include <plait/testing/layer_suite.hpp>

#include "../../examples/custom_routing/frozen.hpp"
#include "support/catch.hpp"

namespace {

using plait::Index;

struct Built {
  plait::Network<double> layer;
  plait::ParamBuffer<double> theta;
};

Built build(const Funnel& funnel) {
  plait::ParamTable table;
  auto layer = plait::build<double>(table, "", funnel);
  plait::ParamBuffer<double> theta(std::make_shared<const plait::ParamTable>(std::move(table)));
  plait::Random random(3);
  plait::initialise(theta, random);
  return {layer, std::move(theta)};
}

// y of slot `task` before and after the input's slot `moved` changes.
bool depends(const Built& built, Index task, Index moved) {
  plait::Random random(5);
  auto x = plait::testing::normal_tensor<double>(4, built.layer.in_shape(), random);
  const plait::Shape out = built.layer.out_shape();
  plait::Tensor<double> before(4, out.slots, out.dim), after(4, out.slots, out.dim);
  plait::Scratch scratch;
  built.layer.forward(built.theta, x.view(), before.view(), nullptr, scratch);
  x.view().of_slot(moved).array() += 0.5;
  built.layer.forward(built.theta, x.view(), after.view(), nullptr, scratch);
  return before.view().of_slot(task) != after.view().of_slot(task);
}

}  // namespace

TEST_CASE("funnel: the suite and the gradient check pass in every shape") {
  const std::vector<Funnel> configs{
      {.input_dim = 5, .num_tasks = 3, .levels = {{4}}},
      {.input_dim = 5, .num_tasks = 3, .levels = {{6}, {4}}, .task_experts = 2},
      {.input_dim = 5, .num_tasks = 2, .levels = {{6}, {5}, {4}}, .separate_inputs = true},
      {.input_dim = 3, .num_tasks = 1, .levels = {{4}, {4}}, .task_experts = 2}};
  plait::ThreadPool pool(2);
  for (const auto& config : configs) {
    INFO(config.num_tasks << " tasks, " << config.levels.size() << " levels");
    const Built built = build(config);
    plait::testing::SuiteOptions options;
    options.executor = &pool;
    const auto contract = plait::testing::check_layer(built.layer, built.theta, options);
    INFO(contract.text());
    CHECK(contract.passed());
    plait::Random random(4);
    const auto x = plait::testing::normal_tensor<double>(5, built.layer.in_shape(), random);
    const auto gradients = plait::testing::check_gradients(built.layer, built.theta, x.view());
    INFO(gradients.text());
    CHECK(gradients.passed());
  }
}

TEST_CASE("funnel: a task depends on its own slot and the one before, and on no other") {
  const Built built =
      build({.input_dim = 5, .num_tasks = 4, .levels = {{8}}, .separate_inputs = true});
  for (Index task = 0; task < 4; ++task)
    for (Index slot = 0; slot < 4; ++slot) {
      INFO("task " << task << ", slot " << slot);
      CHECK(depends(built, task, slot) == (slot == task || slot == task - 1));
    }
}

TEST_CASE("funnel: it is the gate that reads the slot before") {
  // The experts of the slot before give zeros, whatever they read: what still moves is the gate.
  Built built = build({.input_dim = 5, .num_tasks = 2, .levels = {{8}}, .separate_inputs = true});
  for (const char* part : {"weight", "bias"})
    for (double& number : built.theta.of(std::string("experts.0.0.mlp_net.0.") + part)) number = 0;
  CHECK(depends(built, 1, 0));
  // And a gate that weighs all alike, whatever it reads, does not.
  for (double& number : built.theta.of("gate_weights.0.1.0.weight")) number = 0;
  CHECK_FALSE(depends(built, 1, 0));
}

TEST_CASE("funnel: a stopped expert is a constant, and a layer that teaches it is found out") {
  const plait::Body smooth{{4}, plait::Activation::tanh};
  for (const Index tasks : {1, 2, 4})
    for (const bool separate : {false, true}) {
      Funnel funnel{.input_dim = 3,
                    .num_tasks = tasks,
                    .levels = {smooth},
                    .task_experts = 2,
                    .separate_inputs = separate,
                    .stop_gradient = true};
      const auto stopped = frozen::check_gradients(funnel);
      INFO(tasks << " tasks: " << stopped.text());
      CHECK(stopped.passed());

      plait::ParamTable table;
      const plait::LevelRoute route = funnel.plan(table, "").levels.front().route;
      funnel.stop_gradient = false;
      CHECK(frozen::check_gradients(funnel).passed());
      CHECK(frozen::check_gradients(funnel, route).passed() == (tasks == 1));
    }
}

TEST_CASE("funnel: stops change no output, and what a task's loss reaches") {
  const auto run = [](bool stops) {
    Built built = build({.input_dim = 3,
                         .num_tasks = 2,
                         .levels = {{4}},
                         .task_experts = 2,
                         .stop_gradient = stops});
    plait::Random random(5);
    const auto x = plait::testing::normal_tensor<double>(4, built.layer.in_shape(), random);
    plait::Tensor<double> y(4, 2, 4), dy(4, 2, 4);
    dy.view().of_slot(1).setOnes();  // the second task's loss alone
    plait::ParamBuffer<double> grad(built.theta.shared_table());
    plait::Network<double>::Workspace workspace;
    plait::Scratch scratch;
    built.layer.forward(built.theta, x, y, &workspace, scratch);
    built.layer.backward(built.theta, x, y.view(), dy.view(), {}, workspace, grad, scratch);
    return std::pair(std::move(y), std::move(grad));
  };
  auto [y, grad] = run(false);
  auto [stopped_y, stopped_grad] = run(true);
  CHECK(std::ranges::equal(plait::testing::flat(y), plait::testing::flat(stopped_y)));
  for (const auto& entry : grad.table().entries()) {
    INFO(entry.name);
    const bool of_first =
        entry.name.starts_with("experts.0.0.") || entry.name.starts_with("experts.0.1.");
    const bool none =
        std::ranges::all_of(stopped_grad.of(entry.id), [](double g) { return g == 0; });
    CHECK(none == (of_first || entry.name.starts_with("gate_weights.0.0.")));
    if (!of_first) CHECK(std::ranges::equal(grad.of(entry.id), stopped_grad.of(entry.id)));
  }
}

TEST_CASE("funnel: sizes below one are refused by name") {
  CHECK_THROWS_WITH(build({.input_dim = 5, .num_tasks = 0, .levels = {{8}}}),
                    "plait::Funnel: num_tasks: got 0, expected at least 1");
  CHECK_THROWS_WITH(build({.input_dim = 5, .num_tasks = 2, .levels = {{8}}, .task_experts = 0}),
                    "plait::Funnel: experts of a unit: got 0, expected at least 1");
}
