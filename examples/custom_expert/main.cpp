// Trains MMoE with an expert of our own, after the library's own tests have passed on it.
#include <cstdio>
#include <plait/plait.hpp>
#include <plait/testing/gradcheck.hpp>
#include <plait/testing/layer_suite.hpp>

#include "glu_expert.hpp"

namespace {

// The gradients against finite differences, and the contract of every layer. Belongs in a test.
bool expert_is_correct() {
  plait::ParamTable table;
  const GluExpert<double> expert(table, "expert", /*input_dim=*/5, {.width = 4});
  plait::ParamBuffer<double> theta(std::make_shared<const plait::ParamTable>(table));
  plait::Random random(1);
  plait::initialise(theta, random);
  const auto x = plait::testing::normal_tensor<double>(/*batch=*/6, expert.in_shape(), random);

  const auto gradients = plait::testing::check_gradients(expert, theta, x);
  const auto contract = plait::testing::check_layer(expert, theta);
  std::printf("gradients %s\ncontract %s\n\n", gradients.text().c_str(), contract.text().c_str());
  return gradients.passed() && contract.passed();
}

// Both tasks depend on a product of two inputs.
template <class Expert>
void train(const char* name, const typename Expert::Config& expert) {
  plait::Random random(1);
  plait::Matrix<float> x(1024, 8), labels(1024, 2);
  for (float& feature : x.reshaped()) feature = static_cast<float>(random.normal());
  labels.col(0) = (x.col(0).array() * x.col(1).array() > 0).cast<float>();
  labels.col(1) = x.col(1).cwiseProduct(x.col(2));

  plait::Model<plait::MMoE<float, Expert>> model(
      {.input_dim = 8, .num_tasks = 2, .num_experts = 4, .expert = expert}, {}, /*seed=*/1);
  plait::Trainer trainer(
      model, {{.name = "click"}, {.kind = plait::HeadKind::regression, .name = "watch"}},
      plait::Adam{.learning_rate = 1e-2});
  double loss = 0;
  for (int step = 0; step < 300; ++step) loss = trainer.step(x, labels);
  std::printf("%-4s %5td parameters, loss after 300 steps %.4f\n", name,
              model.table().num_parameters(), loss);
}

}  // namespace

int main() {
  if (!expert_is_correct()) return 1;
  train<plait::MLP<float>>("ReLU", {32});
  train<GluExpert<float>>("GLU", {.width = 16});
}
