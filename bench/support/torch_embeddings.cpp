#include "support/torch_embeddings.hpp"

#include <torch/torch.h>

#include "support/torch_tensor.hpp"

namespace bench {

struct TorchTables::State {
  std::vector<torch::Tensor> weights;
  std::unique_ptr<torch::optim::Adagrad> optimizer;
};

class TorchTables::Batch {
 public:
  std::vector<torch::Tensor> ids;
  torch::Tensor offsets;
};

TorchTables::TorchTables(int features, std::int64_t rows, std::int64_t dim, double learning_rate)
    : state_(std::make_shared<State>()) {
  for (int f = 0; f < features; ++f)
    state_->weights.push_back(torch::zeros({rows, dim}).requires_grad_(true));
  state_->optimizer = std::make_unique<torch::optim::Adagrad>(
      state_->weights, torch::optim::AdagradOptions(learning_rate));
}

std::shared_ptr<const TorchTables::Batch> TorchTables::batch(const BagIds& ids,
                                                             std::int64_t bag) const {
  auto result = std::make_shared<Batch>();
  for (const auto& of_feature : ids) {
    torch::Tensor tensor = torch::empty({static_cast<std::int64_t>(of_feature.size())},
                                        torch::TensorOptions().dtype(torch::kInt64));
    for (std::size_t i = 0; i < of_feature.size(); ++i)
      tensor.data_ptr<std::int64_t>()[i] = static_cast<std::int64_t>(of_feature[i]);
    result->ids.push_back(tensor);
  }
  result->offsets = torch::arange(0, static_cast<std::int64_t>(ids.front().size()), bag,
                                  torch::TensorOptions().dtype(torch::kInt64));
  return result;
}

void TorchTables::fill(float number) {
  const torch::NoGradGuard no_grad;
  for (torch::Tensor& weight : state_->weights) weight.fill_(number);
}

void TorchTables::set_row(int feature, std::int64_t row, const float* values) {
  const torch::NoGradGuard no_grad;
  torch::Tensor to = state_->weights[static_cast<std::size_t>(feature)][row];
  to.copy_(torch::from_blob(const_cast<float*>(values), {to.size(0)}));
}

plait::Matrix<float> TorchTables::row(int feature, std::int64_t row) const {
  return matrix_of(state_->weights[static_cast<std::size_t>(feature)].detach().narrow(0, row, 1));
}

namespace {

torch::Tensor forward(const std::vector<torch::Tensor>& weights,
                      const std::vector<torch::Tensor>& ids, const torch::Tensor& offsets) {
  namespace F = torch::nn::functional;
  std::vector<torch::Tensor> sums;
  for (std::size_t f = 0; f < weights.size(); ++f)
    sums.push_back(F::embedding_bag(
        ids[f], weights[f],
        F::EmbeddingBagFuncOptions().offsets(offsets).mode(torch::kSum).sparse(true)));
  return torch::cat(sums, 1);
}

}  // namespace

plait::Matrix<float> TorchTables::lookup(const Batch& batch) const {
  const torch::NoGradGuard no_grad;
  return matrix_of(forward(state_->weights, batch.ids, batch.offsets));
}

void TorchTables::look_up(const Batch& batch) const {
  const torch::NoGradGuard no_grad;
  forward(state_->weights, batch.ids, batch.offsets);
}

void TorchTables::step(const Batch& batch, const plait::Matrix<float>& dy) {
  state_->optimizer->zero_grad();
  forward(state_->weights, batch.ids, batch.offsets).backward(tensor_on(dy));
  state_->optimizer->step();
}

}  // namespace bench
