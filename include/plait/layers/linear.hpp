// Linear layer: y = x Wᵀ + b (torch.nn.Linear).
//
// Parameters: {name}.weight [O, I], {name}.bias [O], both starting at U(-1/√I, 1/√I) as in PyTorch.
#pragma once
#include <cmath>
#include <optional>
#include <string>

#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/kernels/linear.hpp"

namespace plait {

template <class Scalar_>
class Linear {
 public:
  using Scalar = Scalar_;
  struct Workspace {};  // backward needs only x

  // [batch, 1, input_dim] to [batch, 1, output_dim]. Throws ConfigError for a width below 1.
  // With `start` its parameters start otherwise.
  PLAIT_COLD Linear(ParamTable& table, const std::string& name, Index input_dim, Index output_dim,
                    bool bias = true, std::optional<Init> start = {})
      : input_dim_(input_dim), output_dim_(output_dim), has_bias_(bias) {
    require_config(input_dim >= 1, "Linear", name + " input_dim", text(input_dim), "at least 1");
    require_config(output_dim >= 1, "Linear", name + " output_dim", text(output_dim), "at least 1");
    const Init init =
        start.value_or(Init::uniform(1.0 / std::sqrt(static_cast<double>(input_dim))));
    weight_ = table.add_weight(join_name(name, "weight"), output_dim, input_dim, init);
    if (bias) bias_ = table.add_vector(join_name(name, "bias"), output_dim, init);
  }

  Shape in_shape() const { return {1, input_dim_}; }
  Shape out_shape() const { return {1, output_dim_}; }

  ParamId weight() const { return weight_; }
  // Empty without a bias.
  std::optional<ParamId> bias() const { return has_bias_ ? std::optional(bias_) : std::nullopt; }

  bool visit_input_linears(VisitLinear visit) const {
    visit({weight_, bias()});
    return true;
  }

  // y = f(x Wᵀ + b).
  void apply(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y, Activation f) const {
    const Scalar* bias = has_bias_ ? theta.data(bias_) : nullptr;
    if (const auto* packed = theta.packed(weight_, output_dim_)) {
      kernels::linear(x, *packed, bias, y, f);
    } else {
      kernels::linear(x, theta.matrix(weight_), bias, y, f);
    }
  }

  // x [B, 1, I], y [B, 1, O].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y, Workspace*,
               Scratch&) const {
    apply(theta, x, y, Activation::identity);
  }
  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar>,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace&, GradView<Scalar> grad,
                Scratch&, BackwardOptions options = {}) const {
    PLAIT_ASSERT(!options.passed_last_relu);
    const GradSlot<Scalar> dweight = grad.claim(weight_);
    Scalar* dbias = has_bias_ ? grad.add_to(bias_).data : nullptr;
    kernels::linear_backward_params(x, dy, dweight, dbias);
    if (dx) kernels::linear_backward_input(dy, theta.matrix(weight_), dx, options.adds_to_dx);
  }

 private:
  Index input_dim_;
  Index output_dim_;
  bool has_bias_;
  ParamId weight_;
  ParamId bias_;
};

static_assert(Layer<Linear<float>>);

}  // namespace plait
