// MLP: a stack of linear layers, each followed by the activation, the last one included.
//
//   h_0 = x,  a_k = h_{k-1} W_kᵀ + b_k,  h_k = f(a_k),  y = h_K
//
// With a dropout of rate p, h_k = m_k ⊙ f(a_k) in training, the last one included: each number of
// m_k, of every row, is 0 with probability p and 1 / (1 - p) otherwise (layers/dropout.hpp).
//
// The default expert, gate body, tower body and shared bottom. Without layers it is the identity.
// Parameters: {name}.mlp_net.{2k}.weight [d_k, d_{k-1}], {name}.mlp_net.{2k}.bias [d_k]; the even
// numbers are those of the reference's nn.Sequential, in which activations hold the odd places.
// Source: facebookresearch/AdaTT mtl_lib.py, class MLP.
#pragma once
#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/counter_random.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/workspace.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/dropout.hpp"
#include "plait/layers/linear.hpp"

namespace plait {

template <>
struct EnumNames<Activation> {
  static constexpr std::array<std::string_view, 8> names{
      "identity", "relu", "leaky_relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid"};
};

// {256, 128} are two ReLU layers; {{256, 128}, Activation::silu, false} says the rest.
struct MLPConfig {
  std::vector<Index> dims;
  Activation activation = Activation::relu;
  bool bias = true;
  double dropout = 0;  // rate in [0, 1) after every activation, in training

  MLPConfig() {}  // not defaulted: GCC 12 fails on `= default` under nested default members
  MLPConfig(std::initializer_list<Index> layer_dims, Activation f = Activation::relu, bool b = true,
            double p = 0)
      : dims(layer_dims), activation(f), bias(b), dropout(p) {}
  explicit MLPConfig(std::vector<Index> layer_dims, Activation f = Activation::relu, bool b = true,
                     double p = 0)
      : dims(std::move(layer_dims)), activation(f), bias(b), dropout(p) {}

  void fields(FieldVisitor& visit) {
    visit("dims", dims);
    visit("activation", activation);
    visit("bias", bias);
    visit.unless_default("dropout", dropout, 0.0);
  }
};

template <class Scalar_>
class MLP {
 public:
  using Scalar = Scalar_;
  using Config = MLPConfig;
  struct Workspace {
    std::vector<Tensor<Scalar>> outputs;  // h_k [B, 1, d_k] for k < K; y is h_K
    // What f's backward reads [B, 1, d_k] where that is not h_k: a_k, or f(a_k) before dropout
    std::vector<Tensor<Scalar>> inputs;
    std::vector<Tensor<Scalar>> masks;  // m_k [B, 1, d_k], with dropout
    bool dropped = false;               // masks are of this pass
  };

  // Throws ConfigError for a width below 1 and a rate outside [0, 1).
  PLAIT_COLD MLP(ParamTable& table, const std::string& name, Index input_dim, const Config& config)
      : input_dim_(input_dim), activation_(config.activation), dropout_(config.dropout) {
    require_config(input_dim >= 1, "MLP", "input_dim", text(input_dim), "at least 1");
    require_config(dropout_ >= 0 && dropout_ < 1, "MLP", "dropout", text(dropout_),
                   "at least 0 and below 1");
    Index width = input_dim;
    for (const Index dim : config.dims) {
      const auto place = std::to_string(2 * layers_.size());
      layers_.emplace_back(table, join_name(name, "mlp_net." + place), width, dim, config.bias);
      width = dim;
    }
  }

  Shape in_shape() const { return {1, input_dim_}; }
  Shape out_shape() const { return layers_.empty() ? in_shape() : layers_.back().out_shape(); }
  bool is_identity() const { return layers_.empty(); }
  bool draws() const { return dropout_ > 0 && !is_identity(); }
  bool ends_in_relu() const { return !layers_.empty() && activation_ == Activation::relu; }

  bool visit_input_linears(VisitLinear visit) const {
    return !is_identity() && layers_.front().visit_input_linears(visit);
  }

  // x [B, 1, I], y [B, 1, d_K].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    if (is_identity()) return kernels::copy(x, y);
    const Scratch::Frame frame(scratch);
    const std::size_t last = layers_.size() - 1;
    const bool keeps_inputs = workspace != nullptr && reads_inputs();
    if (workspace != nullptr) {
      at_least(workspace->outputs, last);
      if (keeps_inputs) at_least(workspace->inputs, layers_.size());
      if (draws()) at_least(workspace->masks, layers_.size());
      workspace->dropped = draws() && options.draws;
    }
    View3<const Scalar> input = x;
    for (std::size_t k = 0; k <= last; ++k) {
      const Index width = layers_[k].out_shape().dim;
      View3<Scalar> output = y;
      if (k != last)
        output = keep(part(workspace, &Workspace::outputs, k), scratch, x.batch(), 1, width);
      if (keeps_inputs) {
        workspace->inputs[k].resize(x.batch(), 1, width);
        const bool before = needs_input(activation_);
        layers_[k].apply(theta, input, workspace->inputs[k],
                         before ? Activation::identity : activation_);
        kernels::copy(workspace->inputs[k].view(), output);
        if (before) kernels::activate(activation_, output);
      } else {
        layers_[k].apply(theta, input, output, activation_);
      }
      if (draws()) drop(k, options, output, workspace);
      input = output;
    }
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, BackwardOptions options = {}) const {
    PLAIT_ASSERT(!options.passed_last_relu || ends_in_relu());
    if (is_identity()) {
      if (!dx) return;
      if (options.adds_to_dx) return kernels::add(dy, dx);
      return kernels::copy(dy, dx);
    }
    const Scratch::Frame frame(scratch);
    const std::size_t last = layers_.size() - 1;
    View3<const Scalar> upstream = dy;
    for (std::size_t k = layers_.size(); k-- > 0;) {
      const View3<const Scalar> input = k == 0 ? x : workspace.outputs[k - 1].view();
      const View3<const Scalar> output = k == last ? y : workspace.outputs[k].view();
      // h_k = m_k ⊙ f(a_k)
      const bool passes_relu = k == last && options.passed_last_relu;
      if (!passes_relu || draws()) {
        const View3<Scalar> da = scratch.take<Scalar>(x.batch(), 1, output.dim());
        if (!passes_relu) {
          kernels::activate_backward(
              activation_, reads_inputs() ? workspace.inputs[k].view() : output, upstream, da);
          upstream = da;
        }
        if (workspace.dropped) {
          kernels::multiply<Scalar>(upstream, workspace.masks[k], da);
          upstream = da;
        }
      }
      // a_k = h_{k-1} W_kᵀ + b_k
      const View3<Scalar> dinput = k == 0 ? dx : scratch.take<Scalar>(x.batch(), 1, input.dim());
      layers_[k].backward(theta, input, output, upstream, dinput, {}, grad, scratch,
                          {.adds_to_dx = k == 0 && options.adds_to_dx});
      upstream = dinput;
    }
  }

 private:
  // What is 0 where it was dropped tells a ReLU all that it needs.
  bool reads_inputs() const {
    return needs_input(activation_) || (draws() && activation_ != Activation::relu);
  }
  // h_k of f(a_k), in place, in a pass that draws.
  void drop(std::size_t k, const ForwardOptions& options, View3<Scalar> h,
            Workspace* workspace) const {
    View3<Scalar> mask;
    if (workspace != nullptr) {
      workspace->masks[k].resize(h.batch(), 1, h.dim());
      mask = workspace->masks[k];
    }
    if (options.draws)
      dropout(dropout_, stream_of(options.draws).at(k), options.first_row, h, mask);
  }

  Index input_dim_;
  Activation activation_;
  double dropout_;
  std::vector<Linear<Scalar>> layers_;
};

static_assert(TakesBackwardOptions<MLP<float>> && TakesForwardOptions<MLP<float>>);

}  // namespace plait
