// Network: a layer of any type behind one, and what it does where the layer lacks a part.
#include "plait/core/network.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "plait/layers/linear.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/towers.hpp"
#include "plait/testing/build.hpp"
#include "support/bare.hpp"
#include "support/catch.hpp"
#include "support/own_trunk.hpp"

using namespace plait;

namespace {

// Counts its copies and its workspaces' forwards.
struct Counting : Linear<double> {
  struct Workspace {
    int forwards = 0;
  };
  Counting(ParamTable& table, const std::string& name) : Linear(table, name, 2, 3) {}
  Counting(const Counting& other) : Linear(other), copies(other.copies) { ++*copies; }
  Counting& operator=(const Counting&) = default;
  Counting(Counting&&) = default;

  void forward(ParamView<double> theta, View3<const double> x, View3<double> y,
               Workspace* workspace, Scratch& scratch) const {
    Linear::forward(theta, x, y, nullptr, scratch);
    if (workspace != nullptr) seen.push_back(++workspace->forwards);
  }
  void backward(ParamView<double> theta, View3<const double> x, View3<const double> y,
                View3<const double> dy, View3<double> dx, const Workspace& workspace,
                GradView<double> grad, Scratch& scratch) const {
    Linear::backward(theta, x, y, dy, dx, {}, grad, scratch);
    seen.push_back(-workspace.forwards);
  }

  std::shared_ptr<int> copies = std::make_shared<int>(0);
  mutable std::vector<int> seen;
};

const std::vector<int>& seen_by(const Network<double>& network) {
  return network.target<Counting>()->seen;
}

}  // namespace

TEST_CASE("copies of a network share its layer", "[network]") {
  ParamTable table;
  const Network<double> network = Counting(table, "a");
  const int before = *network.target<Counting>()->copies;
  const Network<double> copy = network;  // NOLINT(performance-unnecessary-copy-initialization)
  Network<double> assigned = Counting(table, "b");
  assigned = network;
  CHECK(*network.target<Counting>()->copies == before);
  CHECK(copy.target<Counting>() == network.target<Counting>());
  CHECK(assigned.target<Counting>() == network.target<Counting>());
}

TEST_CASE("a network tells what is inside", "[network]") {
  ParamTable table;
  const Network<double> network = Linear<double>(table, "a", 2, 3);
  REQUIRE(network.target<Linear<double>>() != nullptr);
  CHECK(network.target<Linear<double>>()->weight().rows == 3);
  CHECK(network.target<MLP<double>>() == nullptr);
  CHECK(network.target<Counting>() == nullptr);
}

TEST_CASE("a workspace serves the layer that records in it last", "[network]") {
  auto table = std::make_shared<ParamTable>();
  const Network<double> first = Counting(*table, "a");
  const Network<double> second = Counting(*table, "b");
  const Network<double> copy = first;
  const ParamBuffer<double> theta(table);
  ParamBuffer<double> grad(table);
  const Tensor<double> x(4, 1, 2);
  Tensor<double> y(4, 1, 3);
  Scratch scratch;
  Network<double>::Workspace workspace;
  const auto forward = [&](const Network<double>& network, Network<double>::Workspace* into) {
    network.forward(theta, x, y, into, scratch);
  };
  const auto backward = [&](const Network<double>& network) {
    network.backward(theta, x, y.view(), y.view(), {}, workspace, grad, scratch);
  };
  forward(first, &workspace);
  forward(first, nullptr);
  forward(copy, &workspace);  // the same layer, so the same workspace
  backward(first);
  backward(copy);
  CHECK(seen_by(first) == std::vector<int>{1, 2, -2, -2});
  forward(second, &workspace);  // another of its type: what it has is used again
  backward(second);
  CHECK(seen_by(second) == std::vector<int>{3, -3});
  forward(first, &workspace);
  backward(first);
  CHECK(seen_by(first) == std::vector<int>{1, 2, -2, -2, 4, -4});

  Network<double>::Workspace copied = workspace;  // starts empty
  forward(first, &copied);
  CHECK(seen_by(first).back() == 1);
  Network<double>::Workspace moved = std::move(workspace);
  forward(first, &moved);
  CHECK(seen_by(first).back() == 5);

  // One of another type has its own.
  ParamTable others;
  const Network<double> linear = Linear<double>(others, "c", 2, 3);
  ParamBuffer<double> of_linear(std::make_shared<ParamTable>(others));
  linear.forward(of_linear, x, y, &moved, scratch);
  forward(first, &moved);
  CHECK(seen_by(first).back() == 1);
}

TEST_CASE("a network has what its layer has", "[network]") {
  ParamTable table;
  const Network<double> mlp = MLP<double>(table, "mlp", 3, {4, 2});
  CHECK(mlp.in_shape() == Shape{1, 3});
  CHECK(mlp.out_shape() == Shape{1, 2});
  CHECK(mlp.num_outputs() == 1);
  CHECK(mlp.ends_in_relu());
  CHECK_FALSE(mlp.is_identity());
  CHECK_FALSE(mlp.drops_experts());
  CHECK(mlp.watched().empty());
  std::vector<Index> visited;
  const auto visit = [&](const LinearIds& linear) { visited.push_back(linear.weight.rows); };
  CHECK(mlp.visit_input_linears(visit));
  CHECK(visited == std::vector<Index>{4});
  CHECK(Network<double>(MLP<double>(table, "none", 3, {})).is_identity());
  const Network<double> towers = Towers<double>(table, "towers", {2, 3}, {.small = {{}}});
  CHECK(towers.num_outputs() == 4);
  CHECK(towers.out_shape() == Shape{1, 4});
  const Network<double> trunk = build<double>(
      table, "trunk", own::Stem{.input_dim = 3, .num_tasks = 2, .levels = {{4}, {2}}});
  CHECK(trunk.drops_experts());
  CHECK(trunk.watched().size() == 2);
}

TEST_CASE("a layer without what is optional runs as a network", "[network]") {
  const own::Spread config{.input_dim = 3, .num_tasks = 2, .width = 4};
  const auto built = testing::build<double>(5, config);
  const Network<double>& network = built.layer;
  CHECK(network.num_outputs() == 2);
  CHECK_FALSE(network.is_identity());
  CHECK_FALSE(network.ends_in_relu());
  CHECK_FALSE(network.drops_experts());
  CHECK(network.watched().empty());
  CHECK_FALSE(network.visit_input_linears([](const LinearIds&) {}));

  Scratch scratch;
  const bool live[]{true, false};
  bool live_in[]{false};
  int marks = 0;
  CHECK_FALSE(network.reach(
      live, live_in, [&](const ParamRange&) { ++marks; }, scratch));
  CHECK(live_in[0]);
  CHECK(marks == 0);

  // Options are dropped, and watching shows nothing.
  const auto x = built.input(5);
  Tensor<double> y(5, 2, 4), with_options(5, 2, 4);
  Network<double>::Workspace workspace;
  network.forward(built.theta, x, y, &workspace, scratch);
  network.forward(built.theta, x, with_options, &workspace, scratch,
                  {.expert_dropout = {.rate = 0.5}});
  CHECK(std::ranges::equal(testing::flat(y), testing::flat(with_options)));
  network.watch(
      built.theta, workspace, scratch,
      [&](Index, View3<const double>, View3<const double>, View3<const double>) { ++marks; });
  CHECK(marks == 0);

  // Backward of one live output: the others count as zero, whatever they hold.
  Tensor<double> dy = built.output(5), zeros = dy;
  zeros.view().of_slot(1).setZero();
  dy.view().of_slot(1).setConstant(std::numeric_limits<double>::quiet_NaN());
  Tensor<double> dx(5, 1, 3), expected_dx(5, 1, 3);
  ParamBuffer<double> grad(built.theta.shared_table()), expected = grad;
  network.backward(built.theta, x, y.view(), dy.view(), dx, workspace, grad, scratch, live);
  network.backward(built.theta, x, y.view(), zeros.view(), expected_dx, workspace, expected,
                   scratch);
  CHECK(std::ranges::equal(grad.flat(), expected.flat()));
  CHECK(std::ranges::equal(testing::flat(dx), testing::flat(expected_dx)));

  // dx is added to for a layer that cannot.
  network.backward(built.theta, x, y.view(), zeros.view(), dx, workspace, grad, scratch,
                   {.adds_to_dx = true});
  for (std::size_t i = 0; i < testing::flat(dx).size(); ++i)
    CHECK(std::abs(testing::flat(dx)[i] - 2 * testing::flat(expected_dx)[i]) < 1e-14);
}
