// The program of docs/precision.md, which shows a part of it to the letter.
#include <cstdio>
#include <utility>

#include "plait/plait.hpp"

int main() {
  plait::Model<float> model(plait::AdaTT{.input_dim = 16, .num_tasks = 2, .levels = {{32}, {16}}},
                            {.hidden = {{8}}},
                            /*seed=*/1);
  plait::Random random(2);
  plait::Matrix<float> x(100, 16), full(100, 2), logits(100, 2);
  for (float& feature : x.reshaped()) feature = static_cast<float>(random.normal());
  const plait::Scorer<float> reference(model);
  reference.context().score(x, full);

  const plait::Scorer<float> scorer(
      std::move(model), {.precision = plait::Precision::bf16, .keep = {"task_modules.*"}});

  scorer.context().score(x, logits);
  const float error = (logits - full).cwiseAbs().maxCoeff() / full.cwiseAbs().maxCoeff();
  std::printf("off by %g\n", static_cast<double>(error));
  return error > 0 && error < 0.02f ? 0 : 1;
}
