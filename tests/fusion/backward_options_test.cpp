// A level that computes parts of its experts' and gates' backward itself gives the gradients of one
// whose experts and gates do all of it.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "plait/architectures/adatt.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/testing/build.hpp"
#include "support/bare.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;

namespace {

static_assert(DescribesBody<BareMLP, double> && !TakesBackwardOptions<BareMLP::Layer<double>>);
static_assert(TakesBackwardOptions<MLP<double>> && TakesBackwardOptions<Gate<double>>);

struct Gradients {
  ParamBuffer<double> params;
  Tensor<double> dx;
};

Gradients gradients(const Trunk<double>& trunk) {
  constexpr Index batch = 7;
  const auto [layer, theta] = testing::build<double>(3, trunk);
  const auto x = data::normal<double>(batch, layer.in_shape().dim, 1);
  Random random(4);
  const auto dy = testing::normal_tensor<double>(batch, layer.out_shape(), random);
  Tensor<double> y(batch, layer.out_shape().slots, layer.out_shape().dim);
  Network<double>::Workspace workspace;
  Scratch scratch;
  Gradients result{ParamBuffer<double>(theta.shared_table()), Tensor<double>(batch, 1, x.cols())};
  layer.forward(theta, x, y, &workspace, scratch);
  layer.backward(theta, x, y.view(), dy.view(), result.dx, workspace, result.params, scratch);
  return result;
}

// Slots that several experts and gates read, last layers with and without a ReLU.
template <class Architecture, class Wrap>
Gradients of(Activation f, const std::vector<Index>& hidden, const Wrap& body) {
  Architecture config;
  config.input_dim = 5;
  config.num_tasks = 3;
  config.levels = {body(MLPConfig({6, 4}, f)), body(MLPConfig({3}, f))};
  config.gates.front().body = body(MLPConfig(hidden));
  if constexpr (requires { config.num_experts; }) config.num_experts = 4;
  if constexpr (requires { config.task_experts = 2; }) config.task_experts = 2;
  return gradients(config);
}

template <class Architecture>
void check_same_gradients() {
  for (const Activation f : {Activation::relu, Activation::tanh, Activation::silu})
    for (const auto& hidden : {std::vector<Index>{}, std::vector<Index>{4}}) {
      const Gradients fused =
          of<Architecture>(f, hidden, [](const MLPConfig& mlp) { return Body(mlp); });
      const Gradients separate =
          of<Architecture>(f, hidden, [](const MLPConfig& mlp) { return Body(BareMLP{mlp}); });
      const auto near = [](double a, double b) { return std::abs(a - b) < 1e-13; };
      CHECK(std::ranges::equal(fused.params.flat(), separate.params.flat(), near));
      for (Index b = 0; b < fused.dx.view().batch(); ++b)
        for (Index d = 0; d < 5; ++d)
          CHECK(near(fused.dx.view()(b, 0, d), separate.dx.view()(b, 0, d)));
    }
}

}  // namespace

TEST_CASE("parts of a backward that are computed together give the same gradients") {
  check_same_gradients<AdaTTSp>();
  check_same_gradients<MLMMoE>();
}

TEST_CASE("an MLP without layers adds its gradient on request") {
  ParamTable table;
  const MLP<double> mlp(table, "none", 3, {});
  const ParamBuffer<double> theta(std::make_shared<const ParamTable>(std::move(table)));
  ParamBuffer<double> grad(theta.shared_table());
  const Matrix<double> dy = data::normal<double>(2, 3, 1);
  Tensor<double> dx(2, 1, 3);
  std::fill_n(dx.view().data(), 6, 1.0);
  Scratch scratch;
  CHECK(!ends_in_relu(mlp));
  mlp.backward(theta, dy, dy, dy, dx.view(), {}, grad, scratch, {.adds_to_dx = true});
  CHECK(dx.view()(1, 0, 2) == dy(1, 2) + 1);
  mlp.backward(theta, dy, dy, dy, dx.view(), {}, grad, scratch);
  CHECK(dx.view()(1, 0, 2) == dy(1, 2));
}
