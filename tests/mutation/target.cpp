// What a mutation of the library must make fail: the contract and the gradient check of every
// layer, on small batches. Prints what fails; the exit status is 1 if anything does.
#include <functional>
#include <iostream>
#include <vector>

#include "layers/frozen_sources.hpp"
#include "layers/zoo.cpp"  // one translation unit compiles faster than two
#include "plait/testing/gradcheck.hpp"
#include "plait/testing/layer_suite.hpp"

namespace {

// 1 and a line for the report that failed.
int failure(const std::string& shape, const std::string& text) {
  std::cout << shape << ": " << text << '\n';
  return 1;
}

int check(const zoo::Specimen& specimen, bool differentiable) {
  plait::Random random(20);
  plait::ParamBuffer<double> theta(specimen.table);
  initialise(theta, random);
  const auto suite = plait::testing::check_layer(specimen.layer, theta, {.batch = 4});
  if (!suite.passed()) return failure(specimen.shape, suite.text());
  if (!differentiable) return 0;
  const auto x = plait::testing::normal_tensor<double>(2, specimen.layer.in_shape(), random);
  const auto gradients = plait::testing::check_gradients(specimen.layer, theta, x.view());
  return gradients.passed() ? 0 : failure(specimen.shape, gradients.text());
}

}  // namespace

int main() {
  const std::vector<std::function<std::vector<zoo::Specimen>()>> differentiable{
      zoo::linears,
      zoo::mlps,
      zoo::gates,
      zoo::expert_banks,
      zoo::shared_bottoms,
      zoo::single_tasks,
      zoo::cross_stitches,
      zoo::mmoes,
      zoo::ml_mmoes,
      zoo::cgcs,
      zoo::ples,
      zoo::adatt_sps,
      zoo::adatts,
      zoo::asymmetric_sharings,
      zoo::customized_sharings,
      zoo::towers,
      zoo::sequentials};
  for (const auto& family : differentiable)
    for (const auto& specimen : family())
      if (check(specimen, true) != 0) return 1;
  for (const auto& specimen : zoo::stopped_sharings())
    if (check(specimen, false) != 0) return 1;
  for (const auto& config : zoo::stopped_configs()) {
    const auto gradients = zoo::check_frozen(config);
    if (!gradients.passed()) return failure("stop-gradient", gradients.text());
  }
  return 0;
}
