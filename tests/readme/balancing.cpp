// The program of docs/balancing.md, which shows parts of it to the letter.
#include <plait/methods.hpp>
#include <plait/plait.hpp>

int main() {
  plait::Random random(1);
  plait::Matrix<float> x(64, 8), labels(64, 2);
  for (float& feature : x.reshaped()) feature = static_cast<float>(random.normal());
  labels.col(0) = (x.col(0).array() > 0).cast<float>();
  labels.col(1) = (x.col(1).array() > 0).cast<float>();
  const plait::Targets<float> targets{labels};

  plait::Model<float> model(
      plait::MMoE{.input_dim = 8, .num_tasks = 2, .num_experts = 2, .expert = {8}}, {},
      /*seed=*/1);
  plait::Trainer trainer(model, {{.name = "click"}, {.name = "buy"}}, plait::Adam{});

  // Loss weighting.
  plait::LossWeighting weighting(plait::DWA{}, trainer.num_tasks());
  trainer.step(x, targets, weighting);  // weighs, steps along the gradient of Σ w_t L_t, learns
  weighting.end_epoch();                // after the last step of an epoch

  // Gradient balancing.
  plait::GradientBalancer<float> balancer(plait::UPGrad{}, trainer.num_tasks(),
                                          model.values().shared_table(), trainer.shared());
  trainer.step(x, plait::Targets<float>{labels}, balancer);
  trainer.step(x, plait::Targets<float>{labels}, balancer, plait::BalanceAt::representation);

  const std::vector<double> losses{1, 1};
  plait::ParamBuffer<float> out(model.values().shared_table());
  trainer.compute_task_gradients(x, targets);
  balancer.combine(trainer.task_gradients(), losses, out);
  trainer.apply(out);
  return out.of("task_modules.0.1.weight")[0] == 0 ? 1 : 0;
}
