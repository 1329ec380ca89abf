// A user's own expert: the gated linear unit (Dauphin et al., ICML 2017), which can multiply inputs
// where a ReLU network can only add pieces.
//
//   v = x Wᵀ + b,  g = σ(x Vᵀ + c),  y = v ⊙ g
//
// Whatever models plait::Body serves as an expert, a gate body or a tower body.
// Parameters: {name}.value.weight|bias, {name}.gate.weight|bias.
#pragma once
#include <plait/plait.hpp>
#include <string>

template <class Scalar_>
class GluExpert {
 public:
  using Scalar = Scalar_;
  struct Config {
    plait::Index width = 0;
  };
  // What backward needs besides its arguments.
  struct Workspace {
    plait::Tensor<Scalar> value;  // v [B, 1, O]
    plait::Tensor<Scalar> gate;   // g [B, 1, O]; the logistic's derivative needs only its output
  };

  // Throws plait::ConfigError for a width below 1.
  GluExpert(plait::ParamTable& table, const std::string& name, plait::Index input_dim,
            const Config& config)
      : value_(table, name + ".value", input_dim, config.width),
        gate_(table, name + ".gate", input_dim, config.width) {}

  plait::Shape in_shape() const { return value_.in_shape(); }
  plait::Shape out_shape() const { return value_.out_shape(); }

  // x [B, 1, I], y [B, 1, O].
  void infer(plait::ParamView<const Scalar> theta, plait::View3<const Scalar> x,
             plait::View3<Scalar> y, plait::Scratch& scratch) const {
    const plait::Scratch::Frame frame(scratch);
    const auto value = scratch.take<Scalar>(x.batch(), 1, y.dim());
    const auto gate = scratch.take<Scalar>(x.batch(), 1, y.dim());
    multiply(theta, x, y, value, gate, scratch);
  }
  void forward(plait::ParamView<const Scalar> theta, plait::View3<const Scalar> x,
               plait::View3<Scalar> y, Workspace& workspace, plait::Scratch& scratch) const {
    workspace.value.resize(x.batch(), 1, y.dim());
    workspace.gate.resize(x.batch(), 1, y.dim());
    multiply(theta, x, y, workspace.value, workspace.gate, scratch);
  }

  void backward(plait::ParamView<const Scalar> theta, plait::View3<const Scalar> x,
                plait::View3<const Scalar>, plait::View3<const Scalar> dy, plait::View3<Scalar> dx,
                const Workspace& workspace, plait::ParamView<Scalar> grad,
                plait::Scratch& scratch) const {
    const plait::Scratch::Frame frame(scratch);
    const plait::MatrixMap<const Scalar> v = workspace.value.view().of_slot(0);
    const plait::MatrixMap<const Scalar> g = workspace.gate.view().of_slot(0);
    const plait::MatrixMap<const Scalar> d = dy.of_slot(0);

    // y = v ⊙ g
    const auto dvalue = scratch.take<Scalar>(x.batch(), 1, dy.dim());
    dvalue.of_slot(0) = d.cwiseProduct(g);
    // g = σ(a)
    const auto da = scratch.take<Scalar>(x.batch(), 1, dy.dim());
    da.of_slot(0) = d.array() * v.array() * g.array() * (1 - g.array());
    // v = x Wᵀ + b and a = x Vᵀ + c; x has two consumers, so their gradients add up
    const auto dx_of_gate = dx ? scratch.take<Scalar>(x.batch(), 1, x.dim()) : dx;
    value_.backward(theta, x, workspace.value, dvalue, dx, {}, grad, scratch);
    gate_.backward(theta, x, workspace.gate, da, dx_of_gate, {}, grad, scratch);
    if (dx) dx.of_slot(0) += dx_of_gate.of_slot(0);
  }

 private:
  // One body for infer and forward, which differ in where v and g live.
  void multiply(plait::ParamView<const Scalar> theta, plait::View3<const Scalar> x,
                plait::View3<Scalar> y, plait::View3<Scalar> value, plait::View3<Scalar> gate,
                plait::Scratch& scratch) const {
    value_.infer(theta, x, value, scratch);
    gate_.infer(theta, x, gate, scratch);
    plait::activate(plait::Activation::sigmoid, gate);
    y.of_slot(0) = value.of_slot(0).cwiseProduct(gate.of_slot(0));
  }

  plait::Linear<Scalar> value_;
  plait::Linear<Scalar> gate_;
};

static_assert(plait::Body<GluExpert<float>>);
