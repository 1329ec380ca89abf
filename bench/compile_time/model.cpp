// A unit with the umbrella header and one AdaTT model: built, and run forward and backward.
// Compiled by compile_time.py.
#include <plait/plait.hpp>

plait::Model<float> build() {
  return {plait::AdaTT{.input_dim = 256,
                       .num_tasks = 3,
                       .levels = {{256}, {128}},
                       .task_experts = {2},
                       .shared_experts = 3},
          {.hidden = {{64}}},
          /*seed=*/1};
}

void run(const plait::Model<float>& ranker, plait::View3<const float> x, plait::View3<float> logits,
         plait::View3<const float> dlogits, plait::ParamBuffer<float>& gradient,
         plait::Sequential<float>::Workspace& workspace, plait::Scratch& scratch) {
  ranker.network().forward(ranker.values(), x, logits, &workspace, scratch);
  ranker.network().backward(ranker.values(), x, logits, dlogits, {}, workspace, gradient, scratch);
}
