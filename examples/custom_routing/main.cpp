// Trains an architecture of our own beside AdaTT, after the library's own tests have passed on it.
#include <cstdio>
#include <plait/plait.hpp>
#include <plait/testing/gradcheck.hpp>
#include <plait/testing/layer_suite.hpp>

#include "funnel.hpp"

namespace {

// The gradients against finite differences, and the contract of every layer. Belongs in a test.
bool funnel_is_correct() {
  plait::ParamTable table;
  const Funnel<double> funnel(
      table, "", {.input_dim = 5, .num_tasks = 3, .levels = {{6}, {4}}, .task_experts = 2});
  plait::ParamBuffer<double> theta(std::make_shared<const plait::ParamTable>(table));
  plait::Random random(1);
  plait::initialise(theta, random);
  const auto x = plait::testing::normal_tensor<double>(/*batch=*/6, funnel.in_shape(), random);

  const auto gradients = plait::testing::check_gradients(funnel, theta, x);
  const auto contract = plait::testing::check_layer(funnel, theta);
  std::printf("gradients %s\ncontract %s\n\n", gradients.text().c_str(), contract.text().c_str());
  return gradients.passed() && contract.passed();
}

// A click, what is put into the cart of what was clicked, and what is bought of that.
template <class Trunk>
void train(const char* name, const typename Trunk::Config& trunk) {
  plait::Random random(1);
  plait::Matrix<float> x(2048, 8), labels(2048, 3);
  for (float& feature : x.reshaped()) feature = static_cast<float>(random.normal());
  labels.col(0) = (x.col(0).array() + x.col(1).array() > 0).cast<float>();
  labels.col(1) = labels.col(0).array() * (x.col(2).array() > -0.5F).cast<float>();
  labels.col(2) = labels.col(1).array() * (x.col(3).array() * x.col(0).array() > 0).cast<float>();

  plait::Model<Trunk> model(trunk, {.hidden = {{8}}}, /*seed=*/1);
  plait::Trainer trainer(model, {{.name = "click"}, {.name = "cart"}, {.name = "buy"}},
                         plait::Adam{.learning_rate = 3e-3});
  double loss = 0;
  for (int step = 0; step < 300; ++step) loss = trainer.step(x, labels);
  std::printf("%-6s %5td parameters, loss after 300 steps %.4f\n", name,
              model.table().num_parameters(), loss);
}

}  // namespace

int main() {
  if (!funnel_is_correct()) return 1;
  train<plait::AdaTT<float>>(
      "AdaTT", {.input_dim = 8, .num_tasks = 3, .levels = {{16}, {16}}, .shared_experts = 0});
  train<Funnel<float>>("Funnel", {.input_dim = 8, .num_tasks = 3, .levels = {{16}, {16}}});
}
