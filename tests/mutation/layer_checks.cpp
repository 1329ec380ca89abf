#include "mutation/layer_checks.hpp"

namespace checks {

plait::testing::SuiteReport contract(const Layer& layer, const plait::ParamBuffer<double>& theta) {
  return plait::testing::check_layer(layer, theta, {.batch = 4});
}

plait::testing::GradientReport gradients(const Layer& layer,
                                         const plait::ParamBuffer<double>& theta) {
  plait::Random random(21);
  const auto x = plait::testing::normal_tensor<double>(2, layer.in_shape(), random);
  return plait::testing::check_gradients(layer, theta, x.view());
}

}  // namespace checks
