// A unit with all that a user needs: the umbrella header, one AdaTT model, its trainer and its
// scoring. Compiled by compile_time.py.
#include <plait/plait.hpp>

double train_and_score(plait::View3<const float> x, plait::View3<const float> labels,
                       plait::View3<float> logits) {
  plait::Model<float> model(plait::AdaTT{.input_dim = 256,
                                         .num_tasks = 3,
                                         .levels = {{256}, {128}},
                                         .task_experts = {2},
                                         .shared_experts = 3},
                            {.hidden = {{64}}}, /*seed=*/1);
  plait::Trainer trainer(model, std::vector<plait::Head>(3), plait::Adam{});
  const double loss = trainer.step(x, labels);
  const plait::Scorer scorer(model);
  auto context = scorer.context();
  context.score(x, logits);
  return loss;
}
