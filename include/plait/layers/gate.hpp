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
#include <vector>

#include "plait/core/layer.hpp"
#include "plait/kernels/softmax.hpp"
#include "plait/layers/backward_options.hpp"
#include "plait/layers/linear.hpp"
#include "plait/layers/mlp.hpp"

namespace plait {

template <Body GateBody>
struct GateConfig {
  typename GateBody::Config body{};  // hidden layers
  bool bias = true;
  double temperature = 1;  // τ > 0
};

// One for all levels of a trunk, or one per level.
template <Body GateBody>
using GateConfigs = std::vector<GateConfig<GateBody>>;

template <Body GateBody>
class Gate {
 public:
  using Scalar = typename GateBody::Scalar;
  using Config = GateConfig<GateBody>;
  struct Workspace {
    typename GateBody::Workspace body;
    Tensor<Scalar> hidden;  // body(x) [B, 1, hidden], unused when the body is the identity
  };

  // [batch, 1, input_dim] to [batch, 1, num_weights]. The two names prefix the parameters of the
  // body and of the linear layer. Throws ConfigError for a temperature that is not positive.
  Gate(ParamTable& table, const std::string& body_name, const std::string& linear_name,
       Index input_dim, Index num_weights, const Config& config)
      : body_(table, body_name, input_dim, config.body),
        linear_(table, linear_name, body_.out_shape().dim, num_weights, config.bias),
        temperature_(static_cast<Scalar>(config.temperature)) {
    require_config(temperature_ > 0 && std::isfinite(temperature_), "Gate", "temperature",
                   text(config.temperature), "a positive, finite number");
  }

  Shape in_shape() const { return body_.in_shape(); }
  Shape out_shape() const { return linear_.out_shape(); }

  // The linear layer, where it reads the gate's input itself; null behind hidden layers.
  const Linear<Scalar>* input_linear() const { return is_identity(body_) ? &linear_ : nullptr; }
  // g = softmax(a / τ), in place.
  void normalise(View3<Scalar> logits) const { softmax(temperature_, logits); }

  template <class F>
  bool visit_input_linears(const F& f) const {
    return is_identity(body_) ? linear_.visit_input_linears(f)
                              : plait::visit_input_linears(body_, f);
  }

  void infer(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
             Scratch& scratch) const {
    weigh<false>(theta, x, y, nullptr, scratch);
  }
  void forward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace& workspace, Scratch& scratch) const {
    weigh<true>(theta, x, y, &workspace, scratch);
  }

  void backward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                ParamView<Scalar> grad, Scratch& scratch, BackwardOptions options = {}) const {
    PLAIT_ASSERT(!options.passed_last_relu);
    const Scratch::Frame frame(scratch);
    // g = softmax(a / τ)
    const View3<Scalar> dlogits = scratch.take<Scalar>(x.batch(), 1, y.dim());
    softmax_backward(temperature_, y, dy, dlogits);
    // a = h Aᵀ + c
    if (is_identity(body_))
      return linear_.backward(theta, x, y, dlogits, dx, {}, grad, scratch, options);
    const View3<const Scalar> hidden = workspace.hidden;
    const View3<Scalar> dhidden = scratch.take<Scalar>(x.batch(), 1, hidden.dim());
    linear_.backward(theta, hidden, y, dlogits, dhidden, {}, grad, scratch);
    // h = body(x)
    backward_with(body_, theta, x, hidden, dhidden, dx, workspace.body, grad, scratch,
                  {.adds_to_dx = options.adds_to_dx});
  }

 private:
  template <bool Record>
  void weigh(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
             Workspace* workspace, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    View3<const Scalar> hidden = x;
    if (!is_identity(body_)) {
      const Index width = body_.out_shape().dim;
      View3<Scalar> out;
      if constexpr (Record) {
        workspace->hidden.resize(x.batch(), 1, width);
        out = workspace->hidden;
        run<true>(body_, theta, x, out, &workspace->body, scratch);
      } else {
        out = scratch.take<Scalar>(x.batch(), 1, width);
        run<false>(body_, theta, x, out, nullptr, scratch);
      }
      hidden = out;
    }
    linear_.infer(theta, hidden, y, scratch);
    normalise(y);
  }

  GateBody body_;
  Linear<Scalar> linear_;
  Scalar temperature_;
};

static_assert(Layer<Gate<MLP<float>>>);

}  // namespace plait
