#include <fstream>
#include <iostream>
#include <plait/io.hpp>
#include <plait/methods.hpp>
#include <plait/plait.hpp>

int main() {
  plait::Random random(1);
  plait::Matrix<float> x(1024, 8), labels(1024, 2);
  for (float& feature : x.reshaped()) feature = static_cast<float>(random.normal());
  labels.col(0) = (x.col(0).array() > 0).cast<float>();
  labels.col(1) = (x.col(1).array() > 0.5f).cast<float>();

  plait::Model<float> model(
      plait::AdaTT{.input_dim = 8, .num_tasks = 2, .levels = {{16}, {8}}, .task_experts = {2}}, {},
      /*seed=*/7);
  plait::Trainer trainer(model, {{.name = "click"}, {.name = "buy"}}, plait::Adam{});
  plait::GradientBalancer<float> balancer(plait::PCGrad{}, 2, model.values().shared_table(),
                                          trainer.shared());

  plait::GradientCosines cosines(2);
  for (int step = 0; step < 50; ++step) {
    trainer.step(x, plait::Targets<float>{.labels = labels}, balancer);
    cosines.add(balancer.gramian());
  }
  std::cout << cosines.report().csv();

  plait::ExpertWatch watch(model);  // a pass of its own; add as many batches as you like
  watch.add(x);
  const plait::ExpertReport report = watch.report();
  std::ofstream("experts.csv") << report.csv();
  std::ofstream("experts.json") << plait::to_json(report);

  const plait::LevelReport& last = report.levels.back();
  std::cout << "gate weights, a row per task:\n" << last.gate_weights << '\n';
  std::cout << "entropy, 1 is even: " << last.relative_entropy << '\n';
  std::cout << last.dead_experts().size() << " dead experts\n";
}
