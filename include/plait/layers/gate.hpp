// Gate: softmax weights over the experts that a unit selects.
//
//   g = softmax((body(x) Aᵀ + c) / τ)
//
// The body is any Body and usually the identity (an MLP without layers); hidden layers make it a
// gate MLP. The bias c is absent in the papers (MMoE eq. 8, PLE eq. 3, AdaTT eq. 10) and present in
// the reference code; on by default, `bias = false` drops it.
#pragma once
#include <cmath>
#include <string>
#include <utility>

#include "plait/core/layer.hpp"
#include "plait/core/network.hpp"
#include "plait/core/workspace.hpp"
#include "plait/kernels/softmax.hpp"
#include "plait/layers/body.hpp"
#include "plait/layers/linear.hpp"

namespace plait {

struct GateConfig {
  Body body{};  // hidden layers
  bool bias = true;
  double temperature = 1;  // τ > 0

  void fields(FieldVisitor& visit) {
    visit("body", body);
    visit("bias", bias);
    visit("temperature", temperature);
  }
};

template <class Scalar_>
class Gate {
 public:
  using Scalar = Scalar_;
  struct Workspace {
    typename Network<Scalar>::Workspace body;
    Tensor<Scalar> hidden;  // body(x) [B, 1, hidden], unused when the body is the identity
  };

  // [batch, 1, input_dim] to [batch, 1, num_weights]. The two names prefix the parameters of the
  // body and of the linear layer. Throws ConfigError for a temperature that is not positive.
  PLAIT_COLD Gate(ParamTable& table, const std::string& body_name, const std::string& linear_name,
                  Index input_dim, Index num_weights, const GateConfig& config)
      : body_(config.body.build<Scalar>(table, body_name, input_dim)),
        linear_(table, linear_name, body_.out_shape().dim, num_weights, config.bias),
        temperature_(static_cast<Scalar>(config.temperature)) {
    require_config(temperature_ > 0 && std::isfinite(temperature_), "Gate", "temperature",
                   text(config.temperature), "a positive, finite number");
    table.mark_last(linear_.weight());
  }

  Shape in_shape() const { return body_.in_shape(); }
  Shape out_shape() const { return linear_.out_shape(); }

  // The linear layer, where it reads the gate's input itself; null behind hidden layers.
  const Linear<Scalar>* input_linear() const { return body_.is_identity() ? &linear_ : nullptr; }
  // g = softmax(a / τ), in place.
  void normalise(View3<Scalar> logits) const { kernels::softmax(temperature_, logits); }

  bool visit_input_linears(VisitLinear visit) const {
    return body_.is_identity() ? linear_.visit_input_linears(visit)
                               : body_.visit_input_linears(visit);
  }

  // x [B, 1, I], y [B, 1, n].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    View3<const Scalar> input = x;
    if (!body_.is_identity()) {
      const View3<Scalar> hidden =
          keep(part(workspace, &Workspace::hidden), scratch, x.batch(), 1, body_.out_shape().dim);
      body_.forward(theta, x, hidden, part(workspace, &Workspace::body), scratch);
      input = hidden;
    }
    linear_.apply(theta, input, y, Activation::identity);
    normalise(y);
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, BackwardOptions options = {}) const {
    PLAIT_ASSERT(!options.passed_last_relu);
    const Scratch::Frame frame(scratch);
    // g = softmax(a / τ)
    const View3<Scalar> dlogits = scratch.take<Scalar>(x.batch(), 1, y.dim());
    kernels::softmax_backward(temperature_, y, dy, dlogits);
    // a = h Aᵀ + c
    if (body_.is_identity())
      return linear_.backward(theta, x, y, dlogits, dx, {}, grad, scratch, options);
    const View3<const Scalar> hidden = workspace.hidden;
    const View3<Scalar> dhidden = scratch.take<Scalar>(x.batch(), 1, hidden.dim());
    linear_.backward(theta, hidden, y, dlogits, dhidden, {}, grad, scratch);
    // h = body(x)
    body_.backward(theta, x, hidden, dhidden, dx, workspace.body, grad, scratch,
                   {.adds_to_dx = options.adds_to_dx});
  }

 private:
  Network<Scalar> body_;
  Linear<Scalar> linear_;
  Scalar temperature_;
};

static_assert(TakesBackwardOptions<Gate<float>>);

}  // namespace plait
