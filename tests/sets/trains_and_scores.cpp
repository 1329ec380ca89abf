// Trains and scores a model in float and in double, for the check of the instructions in it.
#include <plait/methods.hpp>
#include <plait/plait.hpp>

namespace {

using namespace plait;

template <class S>
S last_logit() {
  Model<S> model(AdaTT{.input_dim = 5, .num_tasks = 2, .levels = {{8}, {6}}, .task_experts = {2}},
                 {.hidden = {{4}}}, 7);
  Random random(1);
  Matrix<S> x(40, 5);
  for (S& feature : x.reshaped()) feature = static_cast<S>(random.normal());
  const Matrix<S> labels = (x.leftCols(2).array() > 0).template cast<S>();

  Trainer<S> trainer(model, {{}, {.kind = HeadKind::regression}}, Adam{});
  GradientBalancer<S> balancer(PCGrad{}, 2, model.values().shared_table(), trainer.shared(), 3);
  for (int i = 0; i < 4; ++i) trainer.step(x, labels);
  trainer.step(x, {.labels = labels}, balancer);

  const Scorer<S> scorer(model);
  Matrix<S> logits(40, 2);
  scorer.context().score(x, logits);
  return logits(39, 1);
}

}  // namespace

int main() {
  const double difference = static_cast<double>(last_logit<float>()) - last_logit<double>();
  return difference * difference < 1e-4 ? 0 : 1;
}
