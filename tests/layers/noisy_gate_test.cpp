// Noisy gates: noise in training alone, as large as it should be, learned, and by the row's place;
// the largest weights alone where only so many are wanted.
#include "plait/layers/noisy_gate.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/fusion/stack.hpp"
#include "plait/layers/gate.hpp"
#include "plait/testing/build.hpp"
#include "plait/testing/gradcheck.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/in_tiles.hpp"
#include "support/with_options.hpp"

using namespace plait;

namespace {

constexpr ForwardOptions in_step(Index step, Index first_row = 0) {
  return {.draws = {.seed = 5, .step = step}, .first_row = first_row};
}

testing::Built<Gate<double>> gate(const GateConfig& config, Index in = 4, Index weights = 5) {
  auto built = testing::build<double>(3, [&](ParamTable& table) {
    return Gate<double>(table, "body", "gate", in, weights, config);
  });
  Random random(9);
  for (double& value : built.theta.flat()) value += 0.3 * random.normal();
  return built;
}
Matrix<double> weights_of(const testing::Built<Gate<double>>& built, const Matrix<double>& x,
                          const ForwardOptions& options) {
  Matrix<double> g(x.rows(), built.layer.out_shape().dim);
  Scratch scratch;
  built.layer.forward(built.theta, View3<const double>(x), View3<double>(g), nullptr, scratch,
                      options);
  return g;
}
double softplus(double v) { return std::log1p(std::exp(v)); }

}  // namespace

TEST_CASE("noisy gate: without draws it is the softmax gate of its numbers") {
  const auto noisy = gate({.temperature = 1.5, .noise = GateNoise{}});
  auto plain = gate({.temperature = 1.5});
  CHECK(noisy.layer.draws());
  CHECK_FALSE(plain.layer.draws());
  std::vector<std::string> names;
  for (const auto& entry : noisy.theta.table().entries()) names.push_back(entry.name);
  CHECK(names == std::vector<std::string>{"gate.weight", "gate.bias", "gate.noise.weight"});
  for (const auto& entry : plain.theta.table().entries())
    std::ranges::copy(noisy.theta.of(entry.name), plain.theta.of(entry.id).begin());
  const auto x = data::normal<double>(20, 4, 1);
  CHECK(weights_of(noisy, x, {}) == weights_of(plain, x, {}));
  CHECK(weights_of(plain, x, in_step(1)) == weights_of(plain, x, {}));
  CHECK(weights_of(noisy, x, in_step(1)) != weights_of(noisy, x, {}));
}

TEST_CASE("noisy gate: the noise begins with a deviation of ln 2") {
  const auto built = testing::build<double>(3, [](ParamTable& table) {
    return Gate<double>(table, "body", "gate", 4, 5, {.noise = GateNoise{}});
  });
  for (const double value : built.theta.of("gate.noise.weight")) CHECK(value == 0);
  CHECK(softplus(0) == std::log(2.0));
}

TEST_CASE("noisy gate: logits differ by noise of the deviation that they say") {
  constexpr Index rows = 20000;
  const auto built = gate({.noise = GateNoise{}}, 3, 4);
  const Matrix<double> one = data::normal<double>(1, 3, 1);
  const Matrix<double> x = one.replicate(rows, 1);
  const Matrix<double> clean = weights_of(built, one, {});
  const Matrix<double> g = weights_of(built, x, in_step(4));
  const auto noise = built.theta.of("gate.noise.weight");
  const auto deviation = [&](Index e) {
    double n = 0;
    for (Index i = 0; i < 3; ++i) n += one(0, i) * noise[static_cast<std::size_t>(3 * e + i)];
    return softplus(n);
  };
  for (Index e = 1; e < 4; ++e) {
    // ln g_e - ln g_0 = H_e - H_0
    const Vector<double> difference = g.col(e).array().log() - g.col(0).array().log();
    const double mean = std::log(clean(0, e)) - std::log(clean(0, 0));
    const double variance = deviation(e) * deviation(e) + deviation(0) * deviation(0);
    CHECK(std::abs(difference.mean() - mean) < 4 * std::sqrt(variance / rows));
    const double measured = (difference.array() - mean).square().mean();
    CHECK(std::abs(measured - variance) < 4 * variance * std::sqrt(2.0 / rows));
  }
}

TEST_CASE(
    "noisy gate: gradients are those of what a draw computes, those of the noise among them") {
  const auto x = data::normal<double>(7, 4, 5);
  for (const GateConfig& config : std::vector<GateConfig>{
           {.noise = GateNoise{}},
           {.bias = false, .temperature = 0.7, .noise = GateNoise{}},
           {.noise = GateNoise{.top = 2}},
           {.noise = GateNoise{.top = 1}},
           {.body = {{3}, Activation::tanh}, .noise = GateNoise{.top = 3}},
           {.body = MLPConfig({3}, Activation::silu, true, 0.3), .noise = GateNoise{}}}) {
    const auto built = gate(config);
    const with_options::Layer layer{built.layer, in_step(3, 11)};
    const auto report = testing::check_gradients(layer, built.theta, View3<const double>(x));
    INFO(report.text());
    CHECK(report.passed());

    ParamBuffer<double> grad(built.theta.shared_table());
    Gate<double>::Workspace workspace;
    Scratch scratch;
    Matrix<double> y(7, 5), dx(7, 4);
    const auto dy = data::normal<double>(7, 5, 6);
    const auto backward = [&](const ForwardOptions& options) {
      grad.set_zero();
      built.layer.forward(built.theta, View3<const double>(x), View3<double>(y), &workspace,
                          scratch, options);
      built.layer.backward(built.theta, View3<const double>(x), View3<const double>(y),
                           View3<const double>(dy), View3<double>(dx), workspace, grad, scratch);
      return std::ranges::any_of(grad.of("gate.noise.weight"), [](double g) { return g != 0; });
    };
    CHECK(backward(in_step(3)) == (config.noise->top != 1));
    CHECK_FALSE(backward({}));  // what is served does not read it
  }
}

TEST_CASE("noisy gate: the largest have weight and the others none") {
  const auto x = data::normal<double>(50, 4, 1);
  const auto all = gate({.noise = GateNoise{}});
  for (const Index top : {1, 2, 4, 5, 9}) {
    const auto some = gate({.noise = GateNoise{.top = top}});
    for (const ForwardOptions& options : {ForwardOptions{}, in_step(2)}) {
      const Matrix<double> whole = weights_of(all, x, options), g = weights_of(some, x, options);
      for (Index b = 0; b < 50; ++b) {
        CHECK((g.row(b).array() > 0).count() == (std::min)(top, Index{5}));
        CHECK(std::abs(g.row(b).sum() - 1) < 1e-14);
        std::vector<double> sorted(whole.row(b).begin(), whole.row(b).end());
        std::ranges::sort(sorted, std::greater());
        double kept = 0;
        for (Index e = 0; e < (std::min)(top, Index{5}); ++e)
          kept += sorted[static_cast<std::size_t>(e)];
        for (Index e = 0; e < 5; ++e)
          if (g(b, e) > 0) CHECK(std::abs(g(b, e) - whole(b, e) / kept) < 1e-14);
      }
    }
  }
  // Of equal ones the first.
  auto equal = gate({.noise = GateNoise{.top = 2}});
  for (double& value : equal.theta.flat()) value = 0;
  CHECK(weights_of(equal, x.topRows(1), {}) == Matrix<double>{{0.5, 0.5, 0, 0, 0}});
}

TEST_CASE("noisy gate: noise depends on seed, step, layer, row and expert alone") {
  const auto built = gate({.noise = GateNoise{}});
  const auto x = data::normal<double>(23, 4, 5);
  const Matrix<double> whole = weights_of(built, x, in_step(1));
  const auto tiled = in_tiles(x, 5, [&](const Matrix<double>& rows, Index first) {
    return weights_of(built, rows, in_step(1, first));
  });
  CHECK(tiled == whole);
  CHECK(weights_of(built, x, in_step(2)) != whole);
  CHECK(weights_of(built, x, in_step(1).inside(0)) != whole);
}

TEST_CASE("noisy gate: in levels it does not join others, and experts may be dropped beside it") {
  const MMoE noisy{.input_dim = 4,
                   .num_tasks = 2,
                   .num_experts = 4,
                   .expert = {{3}, Activation::tanh},
                   .gate = {.noise = GateNoise{}}};
  MMoE plain = noisy;
  plain.gate.noise.reset();
  CHECK(testing::build<double>(4, plain).theta.table().joints().size() == 1);
  const auto built = testing::build<double>(4, noisy);
  CHECK(built.theta.table().joints().empty());
  const auto x = data::normal<double>(9, 4, 5);
  for (const Index top : {0, 2}) {
    const PLE ple{.input_dim = 4,
                  .num_tasks = 2,
                  .levels = {MLPConfig({3}, Activation::tanh, true, 0.3), {{2}, Activation::tanh}},
                  .task_experts = {2},
                  .gates = {{.noise = GateNoise{.top = top}}}};
    const auto deep = testing::build<double>(4, ple);
    CHECK(deep.layer.draws());
    ForwardOptions options = in_step(3);
    options.expert_dropout = {.rate = 0.4, .seed = 3, .step = 2};
    const auto report = testing::check_gradients(with_options::Layer{deep.layer, options},
                                                 deep.theta, View3<const double>(x));
    INFO(report.text());
    CHECK(report.passed());
  }
}

TEST_CASE("noisy gate: settings that make no sense are refused") {
  ParamTable table;
  CHECK_THROWS_WITH(
      Gate<double>(table, "b", "g", 3, 2, {.dselect = DSelectK{}, .noise = GateNoise{}}),
      "plait::Gate: noise: got dselect beside it, expected one of them");
  ParamTable other;
  CHECK_THROWS_WITH(Gate<double>(other, "b", "g", 3, 2, {.noise = GateNoise{.top = -1}}),
                    "plait::Gate: top: got -1, expected at least 0");
}
