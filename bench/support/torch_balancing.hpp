// The peer of balanced training: the reference AdaTT of any number of tasks in LibTorch, with
// PCGrad as its users write it.
#pragma once
#include <memory>
#include <vector>

#include "plait/core/param_buffer.hpp"
#include "plait/core/view.hpp"
#include "support/torch_models.hpp"

namespace bench {

// Every step runs a backward per task through one graph, flattens the gradients of the tensors in
// `shared`, projects them one by one, and lets Adam step along their sum.
// x and labels [B, T] are read where they lie and must outlive it.
class TorchBalancer {
 public:
  TorchBalancer(const plait::ParamBuffer<float>& values,
                const std::vector<plait::ParamRange>& shared, const plait::Matrix<float>& x,
                const plait::Matrix<float>& labels);
  // Returns the loss before the step, summed over tasks.
  double step();
  // Of the shared gradients of the last step [T, T].
  plait::Matrix<float> gramian() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace bench
