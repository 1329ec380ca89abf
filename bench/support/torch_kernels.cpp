#include "support/torch_kernels.hpp"

#include <torch/torch.h>

#include <memory>
#include <stdexcept>
#include <vector>

#include "support/torch_tensor.hpp"

namespace bench {

namespace {

using torch::Tensor;

// A call of f, which returns its results, without recording for gradients.
template <class F>
TorchCall inference(F f) {
  const auto results = std::make_shared<std::vector<Tensor>>();
  return {[results, f] {
            const torch::InferenceMode mode;
            *results = f();
          },
          [results](std::size_t i) { return matrix_of(results->at(i)); }};
}

Tensor mix(const Tensor& logits, const Tensor& experts) {
  return torch::bmm(torch::softmax(logits, -1), experts);
}

std::unique_ptr<torch::optim::Optimizer> optimizer(const std::string& name,
                                                   const std::vector<Tensor>& parameters) {
  using namespace torch::optim;
  if (name == "SGD") return std::make_unique<SGD>(parameters, SGDOptions(1e-3));
  if (name == "Adam") return std::make_unique<Adam>(parameters, AdamOptions(1e-3));
  if (name == "AdamW") return std::make_unique<AdamW>(parameters, AdamWOptions(1e-3));
  if (name == "Adagrad") return std::make_unique<Adagrad>(parameters, AdagradOptions(1e-3));
  if (name == "RMSprop") return std::make_unique<RMSprop>(parameters, RMSpropOptions(1e-3));
  throw std::logic_error("no optimizer " + name);
}

}  // namespace

TorchCall torch_mixing(const plait::Matrix<float>& logits, const plait::Matrix<float>& experts,
                       Index tasks) {
  const Index batch = logits.rows();
  const Index count = logits.cols() / tasks;
  const Tensor l = tensor_on(logits, {batch, tasks, count});
  const Tensor e = tensor_on(experts, {batch, count, experts.cols() / count});
  return inference([l, e] { return std::vector<Tensor>{mix(l, e)}; });
}

TorchCall torch_mixing_both(const plait::Matrix<float>& logits, const plait::Matrix<float>& experts,
                            const plait::Matrix<float>& dy, Index tasks) {
  const Index batch = logits.rows();
  const Index count = logits.cols() / tasks;
  const Index width = experts.cols() / count;
  const Tensor l = tensor_on(logits, {batch, tasks, count}).requires_grad_();
  const Tensor e = tensor_on(experts, {batch, count, width}).requires_grad_();
  const Tensor d = tensor_on(dy, {batch, tasks, width});
  const auto results = std::make_shared<std::vector<Tensor>>();
  return {[=] {
            const Tensor y = mix(l, e);
            const auto gradients = torch::autograd::grad({y}, {l, e}, {d});
            *results = {y, gradients[0], gradients[1]};
          },
          [results](std::size_t i) { return matrix_of(results->at(i)); }};
}

TorchCall torch_stitch(const plait::Matrix<float>& stitch, const plait::Matrix<float>& experts) {
  const Index tasks = stitch.rows();
  const Tensor s = tensor_on(stitch);
  const Tensor e = tensor_on(experts, {experts.rows(), tasks, experts.cols() / tasks});
  return inference([s, e] { return std::vector<Tensor>{torch::matmul(s, e)}; });
}

TorchCall torch_activation(const std::string& name, const plait::Matrix<float>& x) {
  const Tensor t = tensor_on(x);
  if (name == "relu") return inference([t] { return std::vector<Tensor>{torch::relu(t)}; });
  if (name == "gelu") return inference([t] { return std::vector<Tensor>{torch::gelu(t)}; });
  if (name == "silu") return inference([t] { return std::vector<Tensor>{torch::silu(t)}; });
  if (name == "tanh") return inference([t] { return std::vector<Tensor>{torch::tanh(t)}; });
  if (name == "sigmoid") return inference([t] { return std::vector<Tensor>{torch::sigmoid(t)}; });
  throw std::logic_error("no activation " + name);
}

TorchCall torch_optimizer(const std::string& name, const plait::Matrix<float>& values,
                          const plait::Matrix<float>& grad) {
  const Tensor parameter = tensor_on(values).clone().requires_grad_();
  parameter.mutable_grad() = tensor_on(grad).clone();
  const std::shared_ptr<torch::optim::Optimizer> rule = optimizer(name, {parameter});
  return {[rule] { rule->step(); }, [parameter](std::size_t) { return matrix_of(parameter); }};
}

}  // namespace bench
