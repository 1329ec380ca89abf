// A user's own expert: the gated linear unit (Dauphin et al., ICML 2017), which can multiply inputs
// where a ReLU network can only add pieces.
//
//   v = x Wᵀ + b,  g = σ(x Vᵀ + c),  y = v ⊙ g
//
// Glu describes it: wherever plait takes a Body it serves as an expert, a gate's hidden layers or a
// tower. Parameters: {name}.value.weight|bias, {name}.gate.weight|bias.
#pragma once
#include <plait/plait.hpp>
#include <string>
#include <string_view>

template <class Scalar>
class GluExpert;

struct Glu {
  plait::Index width = 0;

  template <class Scalar>
  using Layer = GluExpert<Scalar>;
  // To be saved.
  static constexpr std::string_view name = "glu";
  void fields(plait::FieldVisitor& visit) { visit("width", width); }
};

template <class Scalar_>
class GluExpert {
 public:
  using Scalar = Scalar_;
  // What backward needs besides its arguments.
  struct Workspace {
    plait::Tensor<Scalar> value;  // v [B, 1, O]
    plait::Tensor<Scalar> gate;   // g [B, 1, O]; the logistic's derivative needs only its output
  };

  // Throws plait::ConfigError for a width below 1.
  GluExpert(plait::ParamTable& table, const std::string& name, plait::Index input_dim,
            const Glu& config)
      : value_(table, name + ".value", input_dim, config.width),
        gate_(table, name + ".gate", input_dim, config.width) {}

  plait::Shape in_shape() const { return value_.in_shape(); }
  plait::Shape out_shape() const { return value_.out_shape(); }

  // Optional: all that reads x, so that a Scorer can compute the share of some columns once.
  bool visit_input_linears(plait::VisitLinear visit) const {
    return value_.visit_input_linears(visit) && gate_.visit_input_linears(visit);
  }

  // x [B, 1, I], y [B, 1, O]. Without a workspace no backward follows: v and g lie in scratch.
  void forward(plait::ParamView<Scalar> theta, plait::View3<const Scalar> x, plait::View3<Scalar> y,
               Workspace* workspace, plait::Scratch& scratch) const {
    const plait::Scratch::Frame frame(scratch);
    const auto v = keep(part(workspace, &Workspace::value), scratch, x.batch(), 1, y.dim());
    const auto g = keep(part(workspace, &Workspace::gate), scratch, x.batch(), 1, y.dim());
    value_.apply(theta, x, v, plait::Activation::identity);
    gate_.apply(theta, x, g, plait::Activation::sigmoid);
    y.of_slot(0) = v.of_slot(0).cwiseProduct(g.of_slot(0));
  }

  void backward(plait::ParamView<Scalar> theta, plait::View3<const Scalar> x,
                plait::View3<const Scalar>, plait::View3<const Scalar> dy, plait::View3<Scalar> dx,
                const Workspace& workspace, plait::GradView<Scalar> grad,
                plait::Scratch& scratch) const {
    const plait::Scratch::Frame frame(scratch);
    const plait::MatrixMap<const Scalar> v = workspace.value.view().of_slot(0);
    const plait::MatrixMap<const Scalar> g = workspace.gate.view().of_slot(0);
    const plait::MatrixMap<const Scalar> d = dy.of_slot(0);

    // y = v ⊙ g
    const auto dv = scratch.take<Scalar>(x.batch(), 1, dy.dim());
    dv.of_slot(0) = d.cwiseProduct(g);
    // g = σ(a)
    const auto da = scratch.take<Scalar>(x.batch(), 1, dy.dim());
    da.of_slot(0) = d.array() * v.array() * g.array() * (Scalar(1) - g.array());
    // v = x Wᵀ + b and a = x Vᵀ + c; x has two consumers, so their gradients add up
    value_.backward(theta, x, workspace.value, dv, dx, {}, grad, scratch);
    gate_.backward(theta, x, workspace.gate, da, dx, {}, grad, scratch, {.adds_to_dx = true});
  }

 private:
  plait::Linear<Scalar> value_;
  plait::Linear<Scalar> gate_;
};

static_assert(plait::DescribesBody<Glu, float>);
