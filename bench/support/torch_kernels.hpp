// The peer of single kernels: LibTorch's operators on plait's numbers, read where they lie.
#pragma once
#include <functional>
#include <string>

#include "plait/core/view.hpp"

namespace bench {

using plait::Index;

// An operator with its inputs bound, and what its last call gave, one matrix per result.
struct TorchCall {
  std::function<void()> call;
  std::function<plait::Matrix<float>(std::size_t)> result;
};

// logits [B, T E], experts [B, E D]: y [B, T D] = softmax over E of the logits, times the experts.
TorchCall torch_mixing(const plait::Matrix<float>& logits, const plait::Matrix<float>& experts,
                       Index tasks);
// The same and its gradients from dy [B, T D]: results y, dlogits, dexperts.
TorchCall torch_mixing_both(const plait::Matrix<float>& logits, const plait::Matrix<float>& experts,
                            const plait::Matrix<float>& dy, Index tasks);
// stitch [T, T], experts [B, T D]: y [B, T D].
TorchCall torch_stitch(const plait::Matrix<float>& stitch, const plait::Matrix<float>& experts);
// y = f(x) by name: relu, gelu, silu, tanh, sigmoid.
TorchCall torch_activation(const std::string& name, const plait::Matrix<float>& x);
// Steps of torch::optim by name: SGD, Adam, AdamW, Adagrad, RMSprop; the result is the parameter,
// a copy of `values` [1, n].
TorchCall torch_optimizer(const std::string& name, const plait::Matrix<float>& values,
                          const plait::Matrix<float>& grad);

}  // namespace bench
