#include <plait/plait.hpp>

int main() {
  plait::Model<float> model(
      plait::MMoE{.input_dim = 4, .num_tasks = 2, .num_experts = 3, .expert = {8}},
      {.hidden = {{4}}}, /*seed=*/1);
  plait::Trainer trainer(model, std::vector<plait::Head>(2), plait::Adam{.learning_rate = 0.01});
  plait::Matrix<float> x = plait::Matrix<float>::Random(64, 4);
  plait::Matrix<float> labels(64, 2);
  for (plait::Index b = 0; b < 64; ++b) labels.row(b).setConstant(x(b, 0) > 0 ? 1.0f : 0.0f);
  const double before = trainer.step(x, labels);
  for (int i = 0; i < 100; ++i) trainer.step(x, labels);
  plait::Matrix<float> logits(64, 2);
  const plait::Scorer scorer(model);
  scorer.context().score(x, logits);
  return trainer.compute_gradient(x, {labels}) < before / 2 ? 0 : 1;
}
