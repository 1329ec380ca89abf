// Rotations: the contract, the gradient of the input, and none of the rotations.
#include "plait/layers/rotations.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "plait/core/parallel.hpp"
#include "plait/testing/gradcheck.hpp"
#include "plait/testing/layer_suite.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

using plait::Index;
using plait::Rotations;

TEST_CASE("contract: Rotations") {
  plait::ThreadPool pool(3);
  for (const auto& [tasks, dim] : {std::pair<Index, Index>{1, 1}, {1, 4}, {2, 3}, {5, 2}, {3, 8}}) {
    INFO(tasks << " tasks, " << dim << " numbers");
    auto table = std::make_shared<plait::ParamTable>();
    const Rotations<double> layer(*table, "rotations", tasks, dim);
    plait::ParamBuffer<double> theta(table);
    plait::Random random(2);
    for (double& number : theta.of(layer.rotation(tasks - 1))) number = random.normal();
    plait::testing::SuiteOptions options;
    options.executor = &pool;
    options.count_allocations = allocations::count;
    const auto report = plait::testing::check_layer(layer, theta, options);
    INFO(report.text());
    CHECK(report.passed());
  }
}

TEST_CASE("gradients: Rotations, of the input alone") {
  constexpr Index batch = 3;
  auto table = std::make_shared<plait::ParamTable>();
  const Rotations<double> layer(*table, "", 2, 4);
  CHECK(table->entries()[1].name == "1");
  plait::ParamBuffer<double> theta(table), grad(table);
  plait::Random random(3);
  for (const auto& entry : table->entries())
    for (double& number : theta.of(entry.id)) number = random.normal();
  auto x = plait::testing::normal_tensor<double>(batch, layer.in_shape(), random);
  const auto r = plait::testing::random_projection(batch, layer.out_shape(), random);
  plait::Tensor<double> y(batch, 2, 4), y0(batch, 2, 4), dx(batch, 1, 4);
  plait::Scratch scratch;
  layer.forward(theta, x, y0, nullptr, scratch);
  layer.backward(theta, x, y0, r, dx, {}, grad, scratch);
  plait::testing::GradientCheck check;
  check.compare("x", plait::testing::flat(x), plait::testing::flat(dx), [&] {
    layer.forward(theta, x, y, nullptr, scratch);
    return plait::testing::project(r, y, y0);
  });
  INFO(check.report().text());
  CHECK(check.report().passed());
  CHECK(std::ranges::all_of(grad.flat(), [](double g) { return g == 0; }));
}

TEST_CASE("Rotations start as the identity") {
  auto table = std::make_shared<plait::ParamTable>();
  const Rotations<float> layer(*table, "rotations", 2, 3);
  plait::ParamBuffer<float> theta(table);
  plait::Random random(4);
  initialise(theta, random);
  CHECK(theta.view().matrix(layer.rotation(1)) == plait::Matrix<float>::Identity(3, 3));
  CHECK(table->contains("rotations.0"));
}
