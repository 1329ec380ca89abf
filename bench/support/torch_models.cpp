#include "support/torch_models.hpp"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/torch.h>

#include <chrono>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/torch_tensor.hpp"

namespace bench {

namespace {

namespace nn = torch::nn;
using torch::Tensor;
using Widths = std::vector<Index>;

// Modules are registered under the names that plait's parameters have.

// Linear layers with ReLU, the last one included.
struct MLPImpl : nn::Module {
  MLPImpl(Index in, const Widths& widths) {
    for (const Index out : widths) {
      layers->push_back(nn::Linear(in, out));
      layers->push_back(nn::ReLU());
      in = out;
    }
    register_module("mlp_net", layers);
  }
  Tensor forward(const Tensor& x) { return layers->forward(x); }

  nn::Sequential layers;
};
TORCH_MODULE(MLP);

// A gate over `outputs` experts.
nn::Sequential softmax_gate(Index in, Index outputs) {
  return nn::Sequential(nn::Linear(in, outputs), nn::Softmax(-1));
}

// Modules of a level or of several, for calling, beside the list that registers them.
template <class Holder>
struct Listed {
  std::vector<Holder> items;
  nn::ModuleList list;

  void add(Holder item) {
    list->push_back(item);
    items.push_back(std::move(item));
  }
};

Listed<MLP> mlps(Index count, Index in, const Widths& widths) {
  Listed<MLP> result;
  for (Index i = 0; i < count; ++i) result.add(MLP(in, widths));
  return result;
}

// A trunk maps x [B, I] to [B, T, H].
struct Trunk : nn::Module {
  virtual Tensor forward(const Tensor& x) = 0;
};

struct SingleTask : Trunk {
  SingleTask() { register_module("networks", networks.list); }
  Tensor forward(const Tensor& x) override {
    std::vector<Tensor> out;
    for (auto& network : networks.items) out.push_back(network(x));
    return torch::stack(out, 1);
  }
  Listed<MLP> networks = mlps(sizes::tasks, sizes::input, {sizes::first, sizes::second});
};

struct SharedBottom : Trunk {
  SharedBottom() { register_module("bottom_projection", bottom); }
  Tensor forward(const Tensor& x) override {
    return bottom(x).unsqueeze(1).expand({-1, sizes::tasks, -1});
  }
  MLP bottom{sizes::input, Widths{sizes::first, sizes::second}};
};

// Task t sees task t - 1, without a gradient to it.
struct Asymmetric : Trunk {
  Asymmetric() {
    register_module("bottoms", bottoms.list);
    auto holder = std::make_shared<nn::Module>();
    for (Index t = 1; t < sizes::tasks; ++t)
      projections.push_back(
          holder->register_module(std::to_string(t), nn::Linear(2 * sizes::second, sizes::second)));
    register_module("projections", holder);
  }
  Tensor forward(const Tensor& x) override {
    std::vector<Tensor> networks, out;
    for (auto& bottom : bottoms.items) networks.push_back(bottom(x));
    out.push_back(networks[0]);
    for (std::size_t t = 1; t < networks.size(); ++t)
      out.push_back(projections[t - 1](torch::cat({networks[t], networks[t - 1].detach()}, 1)));
    return torch::stack(out, 1);
  }
  Listed<MLP> bottoms = mlps(sizes::tasks, sizes::input, {sizes::first, sizes::second});
  std::vector<nn::Linear> projections;
};

struct Customized : Trunk {
  Customized() {
    register_module("bottoms", bottoms.list);
    register_module("shared_bottom", shared);
  }
  Tensor forward(const Tensor& x) override {
    const Tensor common = shared(x);
    std::vector<Tensor> out;
    for (auto& bottom : bottoms.items) out.push_back(torch::cat({bottom(x), common}, 1));
    return torch::stack(out, 1);
  }
  Listed<MLP> bottoms = mlps(sizes::tasks, sizes::input, {sizes::first, sizes::second});
  MLP shared{sizes::input, Widths{sizes::first, sizes::second}};
};

struct CrossStitch : Trunk {
  CrossStitch() {
    nn::ModuleList expert_levels, stitch_levels;
    Index in = sizes::input;
    for (const Index out : {sizes::first, sizes::second}) {
      experts.push_back(mlps(sizes::tasks, in, {out}));
      expert_levels->push_back(experts.back().list);
      stitches.push_back(nn::Linear(nn::LinearOptions(sizes::tasks, sizes::tasks).bias(false)));
      stitch_levels->push_back(stitches.back());
      in = out;
    }
    register_module("experts", expert_levels);
    register_module("stitchs", stitch_levels);
  }
  Tensor forward(const Tensor& x) override {
    Tensor state;
    for (std::size_t l = 0; l < experts.size(); ++l) {
      std::vector<Tensor> out;
      for (Index t = 0; t < sizes::tasks; ++t)
        out.push_back(
            experts[l].items[static_cast<std::size_t>(t)](l == 0 ? x : state.select(1, t)));
      state = torch::matmul(stitches[l]->weight, torch::stack(out, 1));
    }
    return state;
  }
  std::vector<Listed<MLP>> experts;
  std::vector<nn::Linear> stitches;
};

// MMoE with one level of two layers, multi-level MMoE with two levels of one.
struct MMoE : Trunk {
  explicit MMoE(const std::vector<Widths>& levels) {
    nn::ModuleList expert_levels, gate_levels;
    Index in = sizes::input;
    for (std::size_t l = 0; l < levels.size(); ++l) {
      experts.push_back(mlps(sizes::experts, in, levels[l]));
      expert_levels->push_back(experts.back().list);
      Listed<nn::Sequential> level_gates;
      const Index units = l + 1 == levels.size() ? sizes::tasks : sizes::experts;
      for (Index u = 0; u < units; ++u)
        level_gates.add(nn::Sequential(nn::Identity(), nn::Linear(sizes::input, sizes::experts),
                                       nn::Softmax(-1)));
      gates.push_back(level_gates);
      gate_levels->push_back(level_gates.list);
      in = levels[l].back();
    }
    register_module("experts", expert_levels);
    register_module("gates", gate_levels);
  }
  Tensor forward(const Tensor& x) override {
    Tensor state;
    for (std::size_t l = 0; l < experts.size(); ++l) {
      std::vector<Tensor> out, weights;
      for (Index k = 0; k < sizes::experts; ++k)
        out.push_back(
            experts[l].items[static_cast<std::size_t>(k)](l == 0 ? x : state.select(1, k)));
      for (auto& gate : gates[l].items) weights.push_back(gate->forward(x));
      state = torch::bmm(torch::stack(weights, 1), torch::stack(out, 1));
    }
    return state;
  }
  std::vector<Listed<MLP>> experts;
  std::vector<Listed<nn::Sequential>> gates;
};

// What CGC, PLE and AdaTT share: the unit that owns each expert (tasks, then the shared unit), and
// each unit's gate.
struct UnitTrunk : Trunk {
  // gate_outputs(u): how many experts unit u selects.
  UnitTrunk(const std::vector<Widths>& levels, std::vector<Index> experts_of_units,
            const std::function<Index(Index)>& gate_outputs)
      : owned(std::move(experts_of_units)) {
    for (std::size_t u = 0; u < owned.size(); ++u)
      owner.insert(owner.end(), static_cast<std::size_t>(owned[u]), static_cast<Index>(u));
    nn::ModuleList expert_levels, gate_levels;
    Index in = sizes::input;
    for (std::size_t l = 0; l < levels.size(); ++l) {
      experts.push_back(mlps(sizes::experts, in, levels[l]));
      expert_levels->push_back(experts.back().list);
      Listed<nn::Sequential> level_gates;
      const Index units = l + 1 == levels.size() ? sizes::tasks : static_cast<Index>(owned.size());
      for (Index u = 0; u < units; ++u) level_gates.add(softmax_gate(in, gate_outputs(u)));
      gates.push_back(level_gates);
      gate_levels->push_back(level_gates.list);
      in = levels[l].back();
    }
    register_module("experts", expert_levels);
    register_module("gate_weights", gate_levels);
  }

  // x at the first level, the unit's state above.
  static Tensor input_of(Index unit, std::size_t level, const Tensor& x, const Tensor& state) {
    return level == 0 ? x : state.select(1, unit);
  }
  std::vector<Tensor> expert_outputs(std::size_t level, const Tensor& x, const Tensor& state) {
    std::vector<Tensor> result;
    for (std::size_t k = 0; k < owner.size(); ++k)
      result.push_back(experts[level].items[k](input_of(owner[k], level, x, state)));
    return result;
  }
  std::vector<Tensor> gate_outputs(std::size_t level, const Tensor& x, const Tensor& state) {
    std::vector<Tensor> result;
    for (std::size_t u = 0; u < gates[level].items.size(); ++u)
      result.push_back(
          gates[level].items[u]->forward(input_of(static_cast<Index>(u), level, x, state)));
    return result;
  }

  std::vector<Index> owned;  // experts of each unit
  std::vector<Index> owner;  // unit of each expert
  std::vector<Listed<MLP>> experts;
  std::vector<Listed<nn::Sequential>> gates;
};

std::vector<Index> task_and_shared_units() {
  std::vector<Index> result(static_cast<std::size_t>(sizes::tasks), sizes::own_experts);
  result.push_back(sizes::shared_experts);
  return result;
}

// CGC is the case of one level.
struct PLE : UnitTrunk {
  explicit PLE(const std::vector<Widths>& levels)
      : UnitTrunk(levels, task_and_shared_units(), [](Index u) {
          return u == sizes::tasks ? sizes::experts : sizes::own_experts + sizes::shared_experts;
        }) {}
  Tensor forward(const Tensor& x) override {
    Tensor state;
    for (std::size_t l = 0; l < experts.size(); ++l) {
      const std::vector<Tensor> outputs = expert_outputs(l, x, state);
      const std::vector<Tensor> weights = gate_outputs(l, x, state);
      std::vector<Tensor> fused;
      for (std::size_t u = 0; u < weights.size(); ++u) {
        std::vector<Tensor> selected;
        for (std::size_t k = 0; k < outputs.size(); ++k) {
          const bool all = u == static_cast<std::size_t>(sizes::tasks);
          if (all || owner[k] == static_cast<Index>(u) || owner[k] == sizes::tasks)
            selected.push_back(outputs[k]);
        }
        fused.push_back(torch::bmm(weights[u].unsqueeze(1), torch::stack(selected, 1)).squeeze(1));
      }
      state = torch::stack(fused, 1);
    }
    return state;
  }
};

// AdaTT-sp and AdaTT: native-expert weights are added to the gates'.
struct AdaTT : UnitTrunk {
  AdaTT(const std::vector<Widths>& levels, std::vector<Index> experts_of_units)
      : UnitTrunk(levels, std::move(experts_of_units), [](Index) { return sizes::experts; }) {}

  // The native-expert weights [1, m] of a unit at a level.
  virtual Tensor native_weights(std::size_t level, std::size_t unit) = 0;

  Tensor forward(const Tensor& x) override {
    Tensor state;
    for (std::size_t l = 0; l < experts.size(); ++l) {
      const std::vector<Tensor> weights = gate_outputs(l, x, state);
      std::vector<Tensor> native;
      for (std::size_t u = 0; u < weights.size(); ++u) native.push_back(native_weights(l, u));
      Tensor own = torch::block_diag(native);  // [units, their experts]
      own = torch::constant_pad_nd(own, {0, sizes::experts - own.size(1)});
      state =
          torch::bmm(torch::stack(weights, 1) + own, torch::stack(expert_outputs(l, x, state), 1));
    }
    return state;
  }
};

struct AdaTTSp : AdaTT {
  explicit AdaTTSp(const std::vector<Widths>& levels)
      : AdaTT(levels,
              std::vector<Index>(static_cast<std::size_t>(sizes::tasks), sizes::experts_per_task)) {
    nn::ParameterList list;
    for (std::size_t l = 0; l < levels.size(); ++l)
      list->append(torch::empty({sizes::tasks, sizes::experts_per_task}));
    weights = register_module("self_exp_weights", list);
  }
  Tensor native_weights(std::size_t level, std::size_t unit) override {
    return weights[level].narrow(0, static_cast<Index>(unit), 1);
  }
  nn::ParameterList weights;
};

struct AdaTTShared : AdaTT {
  explicit AdaTTShared(const std::vector<Widths>& levels) : AdaTT(levels, task_and_shared_units()) {
    nn::ParameterList list;
    const auto count = static_cast<Index>(levels.size());
    for (std::size_t u = 0; u < owned.size(); ++u)  // the shared unit does not fuse at the last
      list->append(torch::empty({u + 1 == owned.size() ? count - 1 : count, owned[u]}));
    weights = register_module("self_exp_weights", list);
  }
  Tensor native_weights(std::size_t level, std::size_t unit) override {
    return weights[unit].narrow(0, static_cast<Index>(level), 1);
  }
  nn::ParameterList weights;
};

std::shared_ptr<Trunk> make_trunk(Architecture architecture) {
  const std::vector<Widths> one = {{sizes::first, sizes::second}};
  const std::vector<Widths> two = {{sizes::first}, {sizes::second}};
  switch (architecture) {
    case Architecture::single_task:
      return std::make_shared<SingleTask>();
    case Architecture::shared_bottom:
      return std::make_shared<SharedBottom>();
    case Architecture::asymmetric:
      return std::make_shared<Asymmetric>();
    case Architecture::customized:
      return std::make_shared<Customized>();
    case Architecture::cross_stitch:
      return std::make_shared<CrossStitch>();
    case Architecture::mmoe:
      return std::make_shared<MMoE>(one);
    case Architecture::ml_mmoe:
      return std::make_shared<MMoE>(two);
    case Architecture::cgc:
      return std::make_shared<PLE>(one);
    case Architecture::ple:
      return std::make_shared<PLE>(two);
    case Architecture::adatt_sp:
      return std::make_shared<AdaTTSp>(two);
    case Architecture::adatt:
      return std::make_shared<AdaTTShared>(two);
  }
  throw std::logic_error("no such architecture");
}

// A trunk and its towers, with plait's numbers. Throws unless the two have the same parameters.
struct Ranker : nn::Module {
  Ranker(Architecture architecture, const plait::ParamBuffer<float>& values)
      : trunk(register_module("mtl_arch", make_trunk(architecture))) {
    const Index width =
        architecture == Architecture::customized ? 2 * sizes::second : sizes::second;
    for (Index t = 0; t < sizes::tasks; ++t)
      towers.add(nn::Sequential(MLP(width, Widths{sizes::tower}), nn::Linear(sizes::tower, 1)));
    register_module("task_modules", towers.list);

    const torch::NoGradGuard no_grad;
    if (parameters().size() != values.table().entries().size())
      throw std::logic_error("LibTorch's model has another number of parameters");
    for (auto& parameter : named_parameters()) {
      const auto& entry = values.table().at(parameter.key());
      if (parameter.value().sizes() != torch::IntArrayRef(entry.shape.data(), entry.shape.size()))
        throw std::logic_error(parameter.key() + " has another shape in LibTorch");
      const auto numbers = values.of(entry.id);
      std::copy(numbers.begin(), numbers.end(), parameter.value().data_ptr<float>());
    }
  }

  // x [B, I] to logits [B, T].
  Tensor forward(const Tensor& x) {
    const Tensor state = trunk->forward(x);
    std::vector<Tensor> logits;
    for (Index t = 0; t < sizes::tasks; ++t)
      logits.push_back(towers.items[static_cast<std::size_t>(t)]->forward(state.select(1, t)));
    return torch::cat(logits, 1);
  }

  std::shared_ptr<Trunk> trunk;
  Listed<nn::Sequential> towers;
};

// What torch.jit.trace, torch.jit.freeze and torch.jit.optimize_for_inference do in Python.
torch::jit::Module freeze(Ranker& ranker, const Tensor& x) {
  const torch::NoGradGuard no_grad;
  for (auto& parameter : ranker.parameters()) parameter.requires_grad_(false);
  torch::jit::Module module("Ranker");
  const auto call = [&](torch::jit::Stack inputs) {
    return torch::jit::Stack{ranker.forward(inputs.front().toTensor())};
  };
  const auto [trace, outputs] = torch::jit::tracer::trace(
      {x}, call, [](const Tensor&) { return std::string(); }, true, false, &module, {"x"});
  module.type()->addMethod(
      module._ivalue()->compilation_unit()->create_function("forward", trace->graph));
  module.eval();
  torch::jit::Module frozen = torch::jit::freeze(module);
  return torch::jit::optimize_for_inference(frozen);
}

}  // namespace

std::string prepare_torch(double peak) {
  torch::set_num_threads(1);
  const torch::InferenceMode inference;
  const Index size = 512;
  const Tensor a = torch::ones({size, size}), b = torch::ones({size, size});
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    torch::mm(a, b);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, 2.0 * static_cast<double>(size * size * size) / seconds.count());
  }
  if (best < 0.2 * peak)
    throw std::runtime_error(
        "LibTorch's matrix product is not fast here: scripts/install_dependencies.sh --torch "
        "installs an optimised BLAS");
  return TORCH_VERSION;
}

struct TorchScorer::State {
  Ranker ranker;
  Tensor x;
  torch::jit::Module frozen;
  bool eager;
  Tensor logits;
};

TorchScorer::TorchScorer(Architecture architecture, const plait::ParamBuffer<float>& values,
                         Mode mode, const plait::Matrix<float>& x)
    : state_(std::make_shared<State>(
          State{Ranker(architecture, values), tensor_on(x), {}, mode == Mode::eager, {}})) {
  state_->ranker.eval();
  if (!state_->eager) state_->frozen = freeze(state_->ranker, state_->x);
}

void TorchScorer::score() {
  const torch::InferenceMode inference;
  state_->logits = state_->eager ? state_->ranker.forward(state_->x)
                                 : state_->frozen.forward({state_->x}).toTensor();
}

plait::Matrix<float> TorchScorer::logits() const { return matrix_of(state_->logits); }

struct TorchTrainer::State {
  Ranker ranker;
  Tensor x;
  Tensor labels;
  torch::optim::Adam optimizer;
};

TorchTrainer::TorchTrainer(Architecture architecture, const plait::ParamBuffer<float>& values,
                           const plait::Matrix<float>& x, const plait::Matrix<float>& labels) {
  Ranker ranker(architecture, values);
  torch::optim::Adam optimizer(ranker.parameters(), torch::optim::AdamOptions(1e-3));
  state_ = std::make_shared<State>(
      State{std::move(ranker), tensor_on(x), tensor_on(labels), std::move(optimizer)});
}

double TorchTrainer::step() {
  const Tensor logits = state_->ranker.forward(state_->x);
  Tensor loss;
  for (Index t = 0; t < sizes::tasks; ++t) {
    const Tensor task_loss = nn::functional::binary_cross_entropy_with_logits(
        logits.select(1, t), state_->labels.select(1, t));
    loss = t == 0 ? task_loss : loss + task_loss;
  }
  state_->optimizer.zero_grad();
  loss.backward();
  state_->optimizer.step();
  return loss.item<double>();
}

}  // namespace bench
