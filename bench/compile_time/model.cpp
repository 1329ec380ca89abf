// A unit with the umbrella header and one AdaTT model: built, and run forward and backward.
// Compiled by compile_time.py.
#include <plait/plait.hpp>

using Ranker = plait::Model<plait::AdaTT<float>>;

Ranker build() {
  return {{.input_dim = 256,
           .num_tasks = 3,
           .levels = {plait::MLPConfig{256}, plait::MLPConfig{128}},
           .task_experts = {2},
           .shared_experts = 3},
          {.hidden = {plait::MLPConfig{64}}},
          /*seed=*/1};
}

void run(const Ranker& ranker, plait::View3<const float> x, plait::View3<float> logits,
         plait::View3<const float> dlogits, plait::ParamBuffer<float>& gradient,
         Ranker::Network::Workspace& workspace, plait::Scratch& scratch) {
  ranker.network().forward(ranker.values(), x, logits, workspace, scratch);
  ranker.network().backward(ranker.values(), x, logits, dlogits, {}, workspace, gradient, scratch);
}
