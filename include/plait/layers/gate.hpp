// Gate: the weights of the experts that a unit selects.
//
//   g = last(body(x))
//
// The body is any Body and usually the identity (an MLP without layers); hidden layers make it a
// gate MLP. The last layer is a SoftmaxGate; with `dselect` a DSelectGate, whose weights become
// exactly 0 for most experts; with `noise` a NoisyGate.
#pragma once
#include <optional>
#include <string>
#include <variant>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/network.hpp"
#include "plait/core/workspace.hpp"
#include "plait/layers/body.hpp"
#include "plait/layers/dselect_gate.hpp"
#include "plait/layers/noisy_gate.hpp"
#include "plait/layers/softmax_gate.hpp"

namespace plait {

struct GateConfig {
  Body body{};  // hidden layers
  bool bias = true;
  double temperature = 1;             // τ > 0, of a softmax
  std::optional<DSelectK> dselect{};  // instead of a softmax
  std::optional<GateNoise> noise{};   // a softmax of noisy logits

  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("body", body);
    visit("bias", bias);
    visit("temperature", temperature);
    visit.unless_default("dselect", dselect, {});
    visit.unless_default("noise", noise, {});
  }
};

template <class Scalar_>
class Gate {
 public:
  using Scalar = Scalar_;
  using Noisy = NoisyGate<Scalar>;
  struct Workspace {
    typename Network<Scalar>::Workspace body;
    Tensor<Scalar> hidden;  // body(x) [B, 1, hidden], unused when the body is the identity
    typename SoftmaxGate<Scalar>::Workspace softmax;
    typename DSelectGate<Scalar>::Workspace dselect;
    typename Noisy::Workspace noisy;
  };

  // [batch, 1, input_dim] to [batch, 1, num_weights]. The two names prefix the parameters of the
  // body and of the last layer. Throws ConfigError for a temperature that is not positive, for
  // `noise` beside `dselect`, and for settings that a DSelectGate has no use for: a temperature,
  // and for static routing, which reads nothing, a body or no bias.
  PLAIT_COLD Gate(ParamTable& table, const std::string& body_name, const std::string& last_name,
                  Index input_dim, Index num_weights, const GateConfig& config)
      : body_(config.body.build<Scalar>(table, body_name, input_dim)),
        last_(make_last(table, last_name, body_.out_shape().dim, num_weights, config)) {
    if (!config.dselect) return;
    require_config(!config.noise, "Gate", "noise", "dselect beside it", "one of them");
    require_config(config.temperature == 1, "Gate", "temperature", text(config.temperature),
                   "1 with dselect");
    if (config.dselect->per_example) return;
    require_config(body_.is_identity(), "Gate", "body", "hidden layers",
                   "none with dselect of static routing");
    require_config(config.bias, "Gate", "bias", "false", "true with dselect of static routing");
  }

  Shape in_shape() const { return body_.in_shape(); }
  Shape out_shape() const {
    return std::visit([](const auto& last) { return last.out_shape(); }, last_);
  }

  bool draws() const { return body_.draws() || std::holds_alternative<Noisy>(last_); }
  // False for weights that are the same whatever x is.
  bool reads_input() const {
    const auto* dselect = std::get_if<DSelectGate<Scalar>>(&last_);
    return dselect == nullptr || dselect->reads_input();
  }
  // The softmax, where it is all that there is; null behind hidden layers, and for another gate.
  const SoftmaxGate<Scalar>* plain_softmax() const {
    return body_.is_identity() ? softmax() : nullptr;
  }
  const SoftmaxGate<Scalar>* softmax() const { return std::get_if<SoftmaxGate<Scalar>>(&last_); }
  // True for weights that add up to 1.
  bool ends_in_softmax() const {
    return softmax() != nullptr || std::holds_alternative<Noisy>(last_);
  }

  // True for weights of which some are exactly 0, from the start or in the end.
  bool leaves_out() const {
    const auto* noisy = std::get_if<Noisy>(&last_);
    return noisy != nullptr ? noisy->leaves_out() : softmax() == nullptr;
  }

  bool visit_input_linears(VisitLinear visit) const {
    if (!body_.is_identity()) return body_.visit_input_linears(visit);
    return std::visit([&](const auto& last) { return last.visit_input_linears(visit); }, last_);
  }

  // x [B, 1, I], y [B, 1, n].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    const Scratch::Frame frame(scratch);
    View3<const Scalar> input = x;
    if (!body_.is_identity()) {
      const View3<Scalar> hidden =
          keep(part(workspace, &Workspace::hidden), scratch, x.batch(), 1, body_.out_shape().dim);
      body_.forward(theta, x, hidden, part(workspace, &Workspace::body), scratch,
                    options.inside(0));
      input = hidden;
    }
    std::visit(
        [&](const auto& last) {
          plait::forward(last, theta, input, y, part(workspace, kept_by(last)), scratch, options);
        },
        last_);
  }

  // y is what the level made of it, which may have dropped experts (fusion/dropout.hpp).
  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, BackwardOptions options = {}) const {
    PLAIT_ASSERT(!options.passed_last_relu);
    const auto reverse_last = [&](View3<const Scalar> input, View3<Scalar> dinput,
                                  BackwardOptions of_last) {
      std::visit(
          [&](const auto& last) {
            last.backward(theta, input, y, dy, dinput, workspace.*kept_by(last), grad, scratch,
                          of_last);
          },
          last_);
    };
    if (body_.is_identity()) return reverse_last(x, dx, options);
    const Scratch::Frame frame(scratch);
    const View3<const Scalar> hidden = workspace.hidden;
    const View3<Scalar> dhidden = scratch.take<Scalar>(x.batch(), 1, hidden.dim());
    reverse_last(hidden, dhidden, {});
    // h = body(x)
    body_.backward(theta, x, hidden, dhidden, dx, workspace.body, grad, scratch,
                   {.adds_to_dx = options.adds_to_dx});
  }

 private:
  using Last = std::variant<SoftmaxGate<Scalar>, DSelectGate<Scalar>, Noisy>;

  PLAIT_COLD static Last make_last(ParamTable& table, const std::string& name, Index input_dim,
                                   Index num_weights, const GateConfig& config) {
    if (config.dselect)
      return DSelectGate<Scalar>(table, name, input_dim, num_weights, *config.dselect, config.bias);
    if (config.noise)
      return Noisy(table, name, input_dim, num_weights, *config.noise, config.bias,
                   config.temperature);
    return SoftmaxGate<Scalar>(table, name, input_dim, num_weights, config.bias,
                               config.temperature);
  }

  static auto kept_by(const SoftmaxGate<Scalar>&) { return &Workspace::softmax; }
  static auto kept_by(const DSelectGate<Scalar>&) { return &Workspace::dselect; }
  static auto kept_by(const Noisy&) { return &Workspace::noisy; }

  Network<Scalar> body_;
  Last last_;
};

static_assert(TakesBackwardOptions<Gate<float>> && TakesForwardOptions<Gate<float>>);

}  // namespace plait
