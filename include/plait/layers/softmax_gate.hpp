// SoftmaxGate: g = softmax((x Aᵀ + c) / τ), the weights of MMoE, PLE and AdaTT.
//
// Parameters: {name}.weight [n, I], {name}.bias [n]. The bias c is absent in the papers (MMoE eq.
// 8, PLE eq. 3, AdaTT eq. 10) and present in the reference code.
#pragma once
#include <cmath>
#include <string>

#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/kernels/softmax.hpp"
#include "plait/layers/linear.hpp"

namespace plait {

template <class Scalar_>
class SoftmaxGate {
 public:
  using Scalar = Scalar_;
  struct Workspace {};  // backward needs only x and g

  // [batch, 1, input_dim] to [batch, 1, num_weights]. Throws ConfigError for a temperature that is
  // not positive.
  PLAIT_COLD SoftmaxGate(ParamTable& table, const std::string& name, Index input_dim,
                         Index num_weights, bool bias, double temperature)
      : linear_(table, name, input_dim, num_weights, bias),
        temperature_(static_cast<Scalar>(temperature)) {
    require_config(temperature_ > 0 && std::isfinite(temperature_), "Gate", "temperature",
                   text(temperature), "a positive, finite number");
    table.mark_last(linear_.weight());
  }

  Shape in_shape() const { return linear_.in_shape(); }
  Shape out_shape() const { return linear_.out_shape(); }
  const Linear<Scalar>& linear() const { return linear_; }
  Scalar temperature() const { return temperature_; }
  bool visit_input_linears(VisitLinear visit) const { return linear_.visit_input_linears(visit); }

  // g = softmax(a / τ), in place.
  void normalise(View3<Scalar> logits) const { kernels::softmax(temperature_, logits); }

  // x [B, 1, I], y [B, 1, n].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y, Workspace*,
               Scratch&) const {
    linear_.apply(theta, x, y, Activation::identity);
    normalise(y);
  }
  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace&, GradView<Scalar> grad,
                Scratch& scratch, BackwardOptions options = {}) const {
    const Scratch::Frame frame(scratch);
    // g = softmax(a / τ)
    const View3<Scalar> dlogits = scratch.take<Scalar>(x.batch(), 1, y.dim());
    kernels::softmax_backward(temperature_, y, dy, dlogits);
    // a = x Aᵀ + c
    linear_.backward(theta, x, y, dlogits, dx, {}, grad, scratch, options);
  }

 private:
  Linear<Scalar> linear_;
  Scalar temperature_;
};

static_assert(TakesBackwardOptions<SoftmaxGate<float>>);

}  // namespace plait
