// Residual block: two linear layers beside a connection that passes their input on.
//
//   h = relu(A x + a),   y = relu(x + B h + b)          x, y [B, 1, H], h as wide as one likes
//
// Backward: da = dy [y > 0], dh = Bᵀ da [h > 0], dx = da + Aᵀ dh. Parameters: {name}.mlp_net.0
// .weight|bias (A, a), {name}.mlp_net.2.weight|bias (B, b). Source: He et al., "Deep Residual
// Learning for Image Recognition", CVPR 2016, with linear layers for convolutions.
#pragma once
#include <string>

#include "plait/core/layer.hpp"
#include "plait/core/workspace.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/linear.hpp"

namespace plait {

template <class Scalar_>
class ResidualBlock {
 public:
  using Scalar = Scalar_;
  struct Workspace {
    Tensor<Scalar> hidden;
  };

  // Throws ConfigError for a width below 1.
  PLAIT_COLD ResidualBlock(ParamTable& table, const std::string& name, Index dim, Index hidden)
      : inner_(table, name + ".mlp_net.0", dim, hidden),
        outer_(table, name + ".mlp_net.2", hidden, dim) {}

  Shape in_shape() const { return inner_.in_shape(); }
  Shape out_shape() const { return outer_.out_shape(); }
  Index hidden_dim() const { return inner_.out_shape().dim; }

  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    apply(theta, x, keep(part(workspace, &Workspace::hidden), scratch, x.batch(), 1, hidden_dim()),
          y);
  }
  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, BackwardOptions options = {}) const {
    PLAIT_ASSERT(!options.passed_last_relu);
    reverse(theta, x, workspace.hidden.view(), y, dy, dx, grad, scratch, options.adds_to_dx);
  }

  // The same with h where the caller keeps it, hidden [B, 1, hidden_dim()].
  void apply(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> hidden,
             View3<Scalar> y) const {
    inner_.apply(theta, x, hidden, Activation::relu);
    outer_.apply(theta, hidden, y, Activation::identity);
    kernels::add<Scalar>(x, y);
    kernels::activate(Activation::relu, y);
  }
  void reverse(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> hidden,
               View3<const Scalar> y, View3<const Scalar> dy, View3<Scalar> dx,
               GradView<Scalar> grad, Scratch& scratch, bool adds_to_dx) const {
    const Scratch::Frame frame(scratch);
    const auto dsum = scratch.take<Scalar>(x.batch(), 1, y.dim());
    const auto dhidden = scratch.take<Scalar>(x.batch(), 1, hidden.dim());
    kernels::activate_backward<Scalar>(Activation::relu, y, dy, dsum);
    outer_.backward(theta, hidden, {}, dsum, dhidden, {}, grad, scratch);
    kernels::activate_backward<Scalar>(Activation::relu, hidden, dhidden, dhidden);
    inner_.backward(theta, x, {}, dhidden, dx, {}, grad, scratch, {.adds_to_dx = adds_to_dx});
    if (dx) kernels::add<Scalar>(dsum, dx);
  }

 private:
  Linear<Scalar> inner_, outer_;
};

static_assert(Layer<ResidualBlock<float>>);

}  // namespace plait
