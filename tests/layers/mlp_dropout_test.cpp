// Dropout in MLPs: in training alone, by the place of a number, with the gradient of what it
// computes.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "plait/layers/dropout.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/testing/build.hpp"
#include "plait/testing/gradcheck.hpp"
#include "plait/testing/layer_suite.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/in_tiles.hpp"
#include "support/with_options.hpp"

using namespace plait;

namespace {

constexpr double rate = 0.4;

struct Made {
  MLP<double> layer;
  ParamBuffer<double> theta;
};
Made made(const MLPConfig& config, Index in = 4) {
  auto table = std::make_shared<ParamTable>();
  MLP<double> layer(*table, "", in, config);
  Random random(3);
  ParamBuffer<double> theta(std::move(table));
  initialise(theta, random);
  return {std::move(layer), std::move(theta)};
}
MLPConfig dropping(std::vector<Index> dims, Activation f = Activation::tanh) {
  return MLPConfig(std::move(dims), f, true, rate);
}
constexpr ForwardOptions in_step(Index step, Index first_row = 0) {
  return {.draws = {.seed = 5, .step = step}, .first_row = first_row};
}
Matrix<double> outputs(const Made& mlp, const Matrix<double>& x, const ForwardOptions& options) {
  Matrix<double> y(x.rows(), mlp.layer.out_shape().dim);
  Scratch scratch;
  mlp.layer.forward(mlp.theta, View3<const double>(x), View3<double>(y), nullptr, scratch, options);
  return y;
}

}  // namespace

TEST_CASE("dropout: scoring and passes without draws are those of an MLP that drops nothing") {
  const Matrix<double> x = data::normal<double>(20, 4, 1);
  for (const Activation f : {Activation::relu, Activation::tanh, Activation::gelu}) {
    const Made with = made(dropping({6, 3}, f)), without = made(MLPConfig({6, 3}, f));
    CHECK(with.layer.draws());
    CHECK_FALSE(without.layer.draws());
    CHECK(outputs(with, x, {}) == outputs(without, x, {}));
    CHECK(outputs(without, x, in_step(2)) == outputs(without, x, {}));
    CHECK(outputs(with, x, in_step(2)) != outputs(with, x, {}));
  }
  CHECK_FALSE(made(dropping({})).layer.draws());
}

TEST_CASE("dropout: numbers are dropped as often as they should and keep their expectation") {
  constexpr Index rows = 4000, width = 8;
  for (const double p : {0.1, 0.5, 0.9}) {
    Matrix<double> h = Matrix<double>::Ones(rows, width), mask = h;
    dropout(p, CounterRandom(7), 0, View3<double>(h), View3<double>(mask));
    CHECK(h == mask);
    for (Index j = 0; j < width; ++j) {
      const double kept = static_cast<double>((h.col(j).array() > 0).count());
      const double deviation = std::sqrt(p * (1 - p) / rows);
      CHECK(std::abs(kept / rows - (1 - p)) < 4 * deviation);
      CHECK(std::abs(h.col(j).mean() - 1) < 4 * deviation / (1 - p));
    }
    CHECK((h.array() == 0 || h.array() == 1 / (1 - p)).all());
  }
  // Through an MLP of one linear layer, in expectation over steps.
  const Made mlp = made(MLPConfig({1}, Activation::identity, true, rate), 3);
  const Matrix<double> x = data::normal<double>(1, 3, 1);
  const double expected = outputs(mlp, x, {})(0, 0);
  double sum = 0;
  for (Index step = 0; step < rows; ++step) sum += outputs(mlp, x, in_step(step))(0, 0);
  CHECK(std::abs(sum / rows - expected) <
        4 * std::abs(expected) * std::sqrt(rate / (1 - rate) / rows));
}

TEST_CASE("dropout: layers drop independently of each other") {
  constexpr Index rows = 3000, width = 6;
  Made mlp = made(dropping({width, width}, Activation::identity), width);
  for (const char* layer : {"0", "2"}) {
    const auto weight = mlp.theta.of(text("mlp_net.", layer, ".weight"));
    std::ranges::fill(weight, 0.0);
    for (std::size_t i = 0; i < width; ++i) weight[i * width + i] = 1;
    std::ranges::fill(mlp.theta.of(text("mlp_net.", layer, ".bias")), 0.0);
  }
  const Matrix<double> y = outputs(mlp, Matrix<double>::Ones(rows, width), in_step(1));
  const double both = (1 - rate) * (1 - rate);
  CHECK(std::abs(static_cast<double>((y.array() > 0).count()) / (rows * width) - both) <
        4 * std::sqrt(both * (1 - both) / (rows * width)));
}

TEST_CASE("dropout: gradients are those of what a draw computes") {
  const auto x = data::normal<double>(9, 4, 5);
  for (const Activation f :
       {Activation::identity, Activation::relu, Activation::leaky_relu, Activation::gelu,
        Activation::gelu_tanh, Activation::silu, Activation::tanh, Activation::sigmoid})
    for (const auto& dims : {std::vector<Index>{3}, std::vector<Index>{6, 5, 3}}) {
      const Made mlp = made(dropping(dims, f));
      const with_options::Layer layer{mlp.layer, in_step(3, 11)};
      const auto report = testing::check_gradients(layer, mlp.theta, View3<const double>(x));
      INFO(report.text());
      CHECK(report.passed());
    }
}

TEST_CASE("dropout: a ReLU that was passed already, and a gradient that is added") {
  const Made mlp = made(dropping({6, 5}, Activation::relu));
  const auto x = data::normal<double>(7, 4, 5);
  Matrix<double> y(7, 5), dy = data::normal<double>(7, 5, 6), masked = dy;
  const Matrix<double> start = data::normal<double>(7, 4, 8);
  Matrix<double> dx(7, 4), added = start;
  ParamBuffer<double> grad(mlp.theta.shared_table()), other(mlp.theta.shared_table());
  MLP<double>::Workspace workspace;
  Scratch scratch;
  REQUIRE(mlp.layer.ends_in_relu());
  mlp.layer.forward(mlp.theta, View3<const double>(x), View3<double>(y), &workspace, scratch,
                    in_step(1));
  mlp.layer.backward(mlp.theta, View3<const double>(x), View3<const double>(y),
                     View3<const double>(dy), View3<double>(dx), workspace, grad, scratch);
  masked = (y.array() > 0).select(dy.array(), 0.0);
  mlp.layer.backward(mlp.theta, View3<const double>(x), View3<const double>(y),
                     View3<const double>(masked), View3<double>(added), workspace, other, scratch,
                     {.adds_to_dx = true, .passed_last_relu = true});
  CHECK((added - start - dx).cwiseAbs().maxCoeff() < 1e-14);
  CHECK(testing::distance<double>(grad.flat(), other.flat()) < 1e-14);
}

TEST_CASE("dropout: what is dropped depends on seed, step, layer, row and column alone") {
  const Made mlp = made(dropping({6, 5}));
  const auto x = data::normal<double>(23, 4, 5);
  const Matrix<double> whole = outputs(mlp, x, in_step(1));
  const auto tiled = in_tiles(x, 5, [&](const Matrix<double>& rows, Index first) {
    return outputs(mlp, rows, in_step(1, first));
  });
  CHECK(tiled == whole);
  CHECK(outputs(mlp, x, in_step(2)) != whole);
  ForwardOptions other = in_step(1);
  other.draws.seed = 6;
  CHECK(outputs(mlp, x, other) != whole);
  CHECK(outputs(mlp, x, in_step(1).inside(0)) != whole);
  other = in_step(1);
  other.draws.layer = 1;
  CHECK(outputs(mlp, x, other) != whole);
}

TEST_CASE("dropout: the contract holds") {
  for (const Activation f : {Activation::relu, Activation::tanh, Activation::silu}) {
    const Made mlp = made(dropping({6, 5}, f));
    testing::SuiteOptions options;
    options.count_allocations = allocations::count;
    const auto report = testing::check_layer(mlp.layer, mlp.theta, options);
    INFO(report.text());
    CHECK(report.passed());
  }
}

TEST_CASE("dropout: rates outside [0, 1) are refused") {
  for (const double p : {-0.1, 1.0, std::numeric_limits<double>::quiet_NaN()}) {
    ParamTable table;
    CHECK_THROWS_WITH(MLP<double>(table, "", 3, MLPConfig({2}, Activation::relu, true, p)),
                      Catch::Matchers::ContainsSubstring("MLP: dropout"));
  }
}
