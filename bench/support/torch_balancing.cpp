#include "support/torch_balancing.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <unordered_map>

#include "support/torch_tensor.hpp"

namespace bench {

using torch::Tensor;

struct TorchBalancer::State {
  Index tasks;
  Tensor x, labels;
  std::unordered_map<std::string, Tensor> named;
  std::vector<Tensor> parameters;
  std::vector<bool> is_shared;  // by parameter
  std::unique_ptr<torch::optim::Adam> optimizer;
  std::mt19937 random{1};
  std::vector<Tensor> gradients;  // [T], of the shared parameters in one vector each

  Tensor linear(const Tensor& in, const std::string& name) const {
    return torch::linear(in, named.at(name + ".weight"), named.at(name + ".bias"));
  }

  // x [B, I] to logits [B, T].
  Tensor forward() const {
    const Index experts = tasks * sizes::own_experts + sizes::shared_experts;
    Tensor state;
    for (Index l = 0; l < 2; ++l) {
      const auto input_of = [&](Index unit) { return l == 0 ? x : state.select(1, unit); };
      const std::string level = std::to_string(l) + ".";
      std::vector<Tensor> outputs, weights, native;
      for (Index k = 0; k < experts; ++k)
        outputs.push_back(
            torch::relu(linear(input_of(std::min(k / sizes::own_experts, tasks)),
                               "mtl_arch.experts." + level + std::to_string(k) + ".mlp_net.0")));
      for (Index u = 0; u < (l == 0 ? tasks + 1 : tasks); ++u) {
        const std::string unit = std::to_string(u);
        weights.push_back(torch::softmax(
            linear(input_of(u), "mtl_arch.gate_weights." + level + unit + ".0"), -1));
        native.push_back(named.at("mtl_arch.self_exp_weights." + unit).narrow(0, l, 1));
      }
      Tensor own = torch::block_diag(native);  // [units, their experts]
      own = torch::constant_pad_nd(own, {0, experts - own.size(1)});
      state = torch::bmm(torch::stack(weights, 1) + own, torch::stack(outputs, 1));
    }
    std::vector<Tensor> logits;
    for (Index t = 0; t < tasks; ++t) {
      const std::string tower = "task_modules." + std::to_string(t);
      logits.push_back(
          linear(torch::relu(linear(state.select(1, t), tower + ".0.mlp_net.0")), tower + ".1"));
    }
    return torch::cat(logits, 1);
  }

  // Yu et al., NeurIPS 2020, algorithm 1.
  Tensor project() {
    Tensor sum;
    std::vector<std::size_t> order(gradients.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      std::shuffle(order.begin(), order.end(), random);
      Tensor projected = gradients[i].clone();
      for (const std::size_t j : order) {
        if (j == i) continue;
        const auto product = torch::dot(projected, gradients[j]).item<float>();
        if (product < 0)
          projected.sub_(gradients[j],
                         product / torch::dot(gradients[j], gradients[j]).item<float>());
      }
      sum = i == 0 ? projected : sum.add_(projected);
    }
    return sum;
  }
};

TorchBalancer::TorchBalancer(const plait::ParamBuffer<float>& values,
                             const std::vector<plait::ParamRange>& shared,
                             const plait::Matrix<float>& x, const plait::Matrix<float>& labels)
    : state_(std::make_shared<State>()) {
  state_->tasks = labels.cols();
  state_->x = tensor_on(x);
  state_->labels = tensor_on(labels);
  for (const auto& entry : values.table().entries()) {
    const auto numbers = values.of(entry.id);
    Tensor parameter = torch::empty(torch::IntArrayRef(entry.shape.data(), entry.shape.size()));
    std::copy(numbers.begin(), numbers.end(), parameter.data_ptr<float>());
    parameter.set_requires_grad(true);
    state_->named.emplace(entry.name, parameter);
    state_->parameters.push_back(parameter);
    state_->is_shared.push_back(std::any_of(
        shared.begin(), shared.end(),
        [&](const plait::ParamRange& tensor) { return tensor.offset == entry.id.offset; }));
  }
  state_->optimizer =
      std::make_unique<torch::optim::Adam>(state_->parameters, torch::optim::AdamOptions(1e-3));
}

double TorchBalancer::step() {
  auto& s = *state_;
  const Tensor logits = s.forward();
  s.gradients.clear();
  double total = 0;
  for (Index t = 0; t < s.tasks; ++t) {
    const Tensor loss = torch::nn::functional::binary_cross_entropy_with_logits(
        logits.select(1, t), s.labels.select(1, t));
    total += loss.item<double>();
    const auto gradients =
        torch::autograd::grad({loss}, s.parameters, {}, t + 1 < s.tasks, false, true);
    std::vector<Tensor> flat;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (s.is_shared[i]) {
        flat.push_back(
            (gradients[i].defined() ? gradients[i] : torch::zeros_like(s.parameters[i])).flatten());
      } else if (gradients[i].defined()) {
        s.parameters[i].mutable_grad() = gradients[i];
      }
    }
    s.gradients.push_back(torch::cat(flat));
  }
  const Tensor combined = s.project();
  Index first = 0;
  for (std::size_t i = 0; i < s.parameters.size(); ++i) {
    if (!s.is_shared[i]) continue;
    const Index size = s.parameters[i].numel();
    s.parameters[i].mutable_grad() = combined.narrow(0, first, size).view_as(s.parameters[i]);
    first += size;
  }
  s.optimizer->step();
  return total;
}

plait::Matrix<float> TorchBalancer::gramian() const {
  const Tensor rows = torch::stack(state_->gradients);
  return matrix_of(torch::matmul(rows, rows.t()));
}

}  // namespace bench
