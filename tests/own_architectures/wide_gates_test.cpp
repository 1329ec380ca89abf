// WideGates, an architecture by routes with gates that read several slots and experts of two kinds:
// contract, gradients, who reaches whom, and its life as a model.
#include "wide_gates.hpp"

#include <algorithm>
#include <plait/plait.hpp>
#include <plait/testing/build.hpp>
#include <plait/testing/gradcheck.hpp>
#include <plait/testing/layer_suite.hpp>
#include <set>
#include <string>
#include <vector>

#include "model_life.hpp"
#include "support/catch.hpp"

namespace {

using plait::Activation;
using plait::Index;

plait::MLPConfig dropping(std::vector<Index> dims) {
  return plait::MLPConfig(std::move(dims), Activation::tanh, true, 0.2);
}

// Several shapes, of one level and more.
std::vector<WideGates> shapes() {
  const plait::GateConfig hidden{.body = {{3}, Activation::tanh}, .temperature = 2};
  return {
      {.input_dim = 5, .num_tasks = 3, .levels = {{4}}, .shared = {{6, 4}}},
      {.input_dim = 5,
       .num_tasks = 2,
       .levels = {{6, 4}, {3}},
       .shared = {{{4}, Activation::silu}, {{5, 3}, Activation::tanh}}},
      {.input_dim = 4,
       .num_tasks = 2,
       .levels = {{3}, {5}, {4}},
       .shared = {{3}, {5}, {2, 4}},
       .gate = hidden},
      {.input_dim = 4,
       .num_tasks = 3,
       .levels = {dropping({5}), {4}},
       .shared = {dropping({3, 5}), {{4}, Activation::gelu}},
       .gate = {.noise = plait::GateNoise{}}},
      {.input_dim = 3, .num_tasks = 1, .levels = {{4}, {2}}, .shared = {{4}, {2}}},
  };
}

}  // namespace

TEST_CASE("wide gates: the contract of every layer") {
  for (const WideGates& config : shapes()) {
    const auto built = plait::testing::build<double>(/*seed=*/1, config);
    const auto contract = plait::testing::check_layer(built.layer, built.theta);
    INFO(contract.text());
    CHECK(contract.passed());
  }
}

TEST_CASE("wide gates: gradients are finite differences") {
  for (const WideGates& config : shapes()) {
    const auto built = plait::testing::build<double>(/*seed=*/1, config);
    const auto gradients =
        plait::testing::check_gradients(built.layer, built.theta, built.input(/*batch=*/6));
    INFO(gradients.text());
    CHECK(gradients.passed());
  }
}

TEST_CASE("wide gates: a task reaches its own expert and, through its gate, its neighbours below") {
  const auto built = plait::testing::build<double>(1, shapes()[1]);
  const bool live[2]{true, false};
  bool live_in[1]{};
  plait::Scratch scratch;
  std::set<std::string> reached;
  const bool tells = built.layer.reach(
      live, live_in,
      [&](const plait::ParamRange& range) {
        for (const auto& entry : built.theta.table().entries())
          if (range.offset <= entry.id.offset && entry.id.offset < range.offset + range.size)
            reached.insert(
                entry.name.substr(0, entry.name.find('.', entry.name.find('.', 13) + 1)));
      },
      scratch);
  CHECK(tells);
  CHECK(live_in[0]);
  const auto has = [&](const std::string& part) {
    return std::ranges::any_of(reached, [&](const auto& name) { return name.starts_with(part); });
  };
  for (const char* part : {"experts.1.0", "experts.1.2", "gate_weights.1.0", "experts.0.0",
                           "experts.0.1", "experts.0.2", "gate_weights.0.0", "gate_weights.0.2"})
    CHECK(has(part));
  for (const char* part : {"experts.1.1", "gate_weights.1.1", "gate_weights.0.1"})
    CHECK(!has(part));
}

TEST_CASE("wide gates: trained, saved, loaded, scored and watched as any model") {
  const model_life::Seen seen =
      model_life::check(WideGates{.input_dim = 8,
                                  .num_tasks = 2,
                                  .levels = {{16}, {8}},
                                  .shared = {dropping({12, 16}), {{8}, Activation::silu}},
                                  .gate = {.noise = plait::GateNoise{}}},
                        WideGates{});
  REQUIRE(seen.experts.levels.size() == 2);
  CHECK(seen.experts.levels[0].gate_weights.rows() == 3);  // two tasks and the shared unit
  CHECK(seen.experts.levels[1].gate_weights.rows() == 2);
  for (const auto& level : seen.experts.levels)
    for (Index u = 0; u < level.gate_weights.rows(); ++u)
      CHECK(level.gate_weights.row(u).sum() == Approx(1));
}
