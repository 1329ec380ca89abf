// STEM, an architecture by routes: contract, gradients, who teaches whom, and its life as a model.
#include "stem.hpp"

#include <algorithm>
#include <plait/plait.hpp>
#include <plait/testing/build.hpp>
#include <plait/testing/gradcheck.hpp>
#include <plait/testing/layer_suite.hpp>
#include <string>

#include "../../examples/custom_routing/frozen.hpp"
#include "model_life.hpp"
#include "support/catch.hpp"

namespace {

using plait::Index;

// Several shapes, of one level and more.
std::vector<Stem> shapes() {
  return {
      {.input_dim = 5, .num_tasks = 3, .levels = {{4}}},
      {.input_dim = 5, .num_tasks = 2, .levels = {{6, 4}, {3}}, .task_experts = 2},
      {.input_dim = 4,
       .num_tasks = 2,
       .levels = {{3}, {5}, {4}},
       .shared_experts = 2,
       .gate = {.body = {6}},
       .separate_inputs = true},
      {.input_dim = 4,
       .num_tasks = 3,
       .levels = {{5}, {4}},
       .task_experts = 2,
       .shared_experts = 0},
      {.input_dim = 3, .num_tasks = 1, .levels = {{4}}},
  };
}

// The gradient by the parameters, of a loss of task t alone.
plait::ParamBuffer<double> gradient_of_task(const frozen::Built& built, Index t) {
  const auto x = built.input(6);
  auto dy = built.output(6);
  for (Index u = 0; u < dy.slots(); ++u)
    if (u != t) dy.view().of_slot(u).setZero();
  plait::Tensor<double> y(6, dy.slots(), dy.dim());
  plait::ParamBuffer<double> grad(built.theta.shared_table());
  plait::Network<double>::Workspace workspace;
  plait::Scratch scratch;
  built.layer.forward(built.theta, x, y, &workspace, scratch);
  built.layer.backward(built.theta, x, y, dy, /*dx=*/{}, workspace, grad, scratch);
  return grad;
}

// Whether anything but zero is in the tensors whose names begin with `prefix`.
bool teaches(const plait::ParamBuffer<double>& grad, const std::string& prefix) {
  bool any = false, found = false;
  for (const auto& entry : grad.table().entries())
    if (entry.name.starts_with(prefix)) {
      found = true;
      for (const double number : grad.of(entry.id)) any = any || number != 0;
    }
  REQUIRE(found);
  return any;
}

}  // namespace

TEST_CASE("stem: the contract of every layer, with and without the stop-gradient") {
  for (Stem stem : shapes())
    for (const bool stop : {true, false}) {
      stem.stop_gradient = stop;
      const auto built = plait::testing::build<double>(/*seed=*/1, stem);
      const auto contract = plait::testing::check_layer(built.layer, built.theta);
      INFO(contract.text());
      CHECK(contract.passed());
    }
}

TEST_CASE("stem: gradients are finite differences, of the frozen function where stopped") {
  for (Stem stem : shapes()) {
    if (stem.levels.size() == 1) {
      const auto stopped = frozen::check_gradients(stem);
      INFO(stopped.text());
      CHECK(stopped.passed());
    }
    stem.stop_gradient = false;
    const auto built = plait::testing::build<double>(/*seed=*/1, stem);
    const auto gradients =
        plait::testing::check_gradients(built.layer, built.theta, built.input(/*batch=*/6));
    INFO(gradients.text());
    CHECK(gradients.passed());
  }
}

TEST_CASE("stem: the check of frozen experts refuses the gradient without stops") {
  Stem stem{.input_dim = 5, .num_tasks = 3, .levels = {{4}}};
  plait::ParamTable table;
  const plait::LevelRoute stops = stem.plan(table, "").levels.front().route;
  CHECK(frozen::check_gradients(stem, stops).passed());
  stem.stop_gradient = false;
  CHECK_FALSE(frozen::check_gradients(stem, stops).passed());
}

TEST_CASE("stem: a task teaches its own and the shared experts, and its gate alone") {
  const auto built = plait::testing::build<double>(
      1, Stem{.input_dim = 5, .num_tasks = 3, .levels = {{8}}, .task_experts = 2});
  for (Index t = 0; t < 3; ++t) {
    const auto grad = gradient_of_task(built, t);
    for (Index k = 0; k < 7; ++k)
      CHECK(teaches(grad, plait::text("experts.0.", k, ".")) == (k == 6 || k / 2 == t));
    for (Index u = 0; u < 3; ++u)
      CHECK(teaches(grad, plait::text("gate_weights.0.", u, ".")) == (u == t));
  }
}

TEST_CASE("stem: below, a task teaches the others' experts through the shared unit") {
  Stem stem{.input_dim = 5, .num_tasks = 2, .levels = {{8}, {8}}};
  const auto shared = plait::testing::build<double>(1, stem);
  stem.shared_experts = 0;
  const auto apart = plait::testing::build<double>(1, stem);
  const auto grad = gradient_of_task(shared, 0), alone = gradient_of_task(apart, 0);
  CHECK_FALSE(teaches(grad, "experts.1.1."));
  CHECK_FALSE(teaches(alone, "experts.1.1."));
  CHECK(teaches(grad, "experts.0.1."));
  CHECK_FALSE(teaches(alone, "experts.0.1."));
}

TEST_CASE("stem: sizes below 1 are refused") {
  plait::ParamTable table;
  CHECK_THROWS_AS(Stem{}.plan(table, ""), plait::ConfigError);
  CHECK_THROWS_AS(
      (Stem{.input_dim = 2, .num_tasks = 2, .levels = {{4}}, .task_experts = 0}.plan(table, "")),
      plait::ConfigError);
}

TEST_CASE("stem: trained, saved, loaded, scored and watched as any model") {
  const model_life::Seen seen = model_life::check(
      Stem{.input_dim = 8, .num_tasks = 2, .levels = {{16}, {8}}, .gate = {.body = {6}}}, Stem{});
  REQUIRE(seen.experts.levels.size() == 2);
  CHECK(seen.experts.levels[0].gate_weights.rows() == 3);  // two tasks and the shared unit
  CHECK(seen.experts.levels[1].gate_weights.rows() == 2);
  for (const auto& level : seen.experts.levels)
    for (Index u = 0; u < level.gate_weights.rows(); ++u)
      CHECK(level.gate_weights.row(u).sum() == Approx(1));
}
