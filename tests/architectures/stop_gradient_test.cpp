// The stop-gradient of AsymmetricSharing.
#include "architectures/frozen_sources.hpp"
#include "support/catch.hpp"

using plait::Index;
using plait::ParamBuffer;
using plait::ParamTable;
using plait::Random;
using plait::Scratch;
using plait::Tensor;

TEST_CASE("gradients: AsymmetricSharing with stop-gradient") {
  const auto configs = zoo::stopped_configs();
  CHECK(configs.size() == 24);
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const auto report = zoo::check_frozen(configs[i]);
    INFO("configuration " << i << ": " << report.text());
    CHECK(report.passed());
  }
}

TEST_CASE("stop-gradient changes gradients and not outputs") {
  constexpr Index batch = 3;
  Random random(4);
  std::vector<double> outputs[2];
  std::vector<double> source_gradient[2];
  for (const bool stop : {false, true}) {
    random = Random(4);
    auto table = std::make_shared<ParamTable>();
    const zoo::Networks layer(*table, "",
                              {3, 2, {{2}, plait::Activation::tanh}, {{}, {0}}, {}, stop});
    ParamBuffer<double> theta(table), grad(table);
    initialise(theta, random);
    const auto x = plait::testing::normal_tensor<double>(batch, layer.in_shape(), random);
    Tensor<double> y(batch, 2, 2), dy(batch, 2, 2);
    for (Index b = 0; b < batch; ++b) dy.view().of_slot(1).setOnes();  // the target's loss alone
    Scratch scratch;
    zoo::Networks::Workspace workspace;
    layer.forward(theta, x, y, &workspace, scratch);
    layer.backward(theta, x, y.view(), dy.view(), {}, workspace, grad, scratch);
    const auto numbers = plait::testing::flat(y);
    outputs[stop].assign(numbers.begin(), numbers.end());
    const auto gradient = grad.of("bottoms.0.mlp_net.0.weight");
    source_gradient[stop].assign(gradient.begin(), gradient.end());
  }
  CHECK(outputs[false] == outputs[true]);
  CHECK(source_gradient[true] == std::vector<double>(6, 0.0));
  CHECK(source_gradient[false] != source_gradient[true]);
}
