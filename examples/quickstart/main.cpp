#include <cstdio>
#include <plait/plait.hpp>

int main() {
  plait::Model<float> model(  // 16 features, 2 tasks, 2 levels of experts, towers of 8
      plait::AdaTT{.input_dim = 16, .num_tasks = 2, .levels = {{32}, {16}}, .task_experts = {2}},
      {.hidden = {{8}}}, /*seed=*/7);

  // 2048 rows: is it clicked (binary), how long is it watched (regression)
  plait::Random random(1);
  plait::Matrix<float> x(2048, 16), labels(2048, 2);
  for (float& feature : x.reshaped()) feature = static_cast<float>(random.normal());
  labels.col(0) = ((x.col(0) + x.col(1)).array() > x.col(2).array().square()).cast<float>();
  labels.col(1) = x.col(0) - x.col(2).cwiseAbs();

  plait::Trainer trainer(model, {{.name = "click"}, {.kind = plait::HeadKind::regression}},
                         plait::Adam{.learning_rate = 3e-3});
  for (int step = 0; step <= 200; ++step) {  // forward, loss, backward, optimizer
    const double loss = trainer.step(x, labels);
    if (step % 50 == 0) std::printf("step %3d  loss %.4f\n", step, loss);
  }

  const plait::Scorer scorer(model);  // its own copy, weights packed; shared by all threads
  auto context = scorer.context();    // one per thread; does not allocate or lock from here on
  plait::Matrix<float> logits(2048, 2);
  context.score(x, logits);
  for (int b = 0; b < 3; ++b)
    std::printf("clicked %g, logit %6.2f    watched %5.2f, predicted %5.2f\n", labels(b, 0),
                logits(b, 0), labels(b, 1), logits(b, 1));
}
