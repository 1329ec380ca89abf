// NoisyGate: a softmax gate whose logits are noisy in training, by as much as it learns.
//
//   H_e = (x Aᵀ + c)_e + ε_e softplus((x Nᵀ)_e),   ε_e ~ N(0, 1) of every row; without draws ε = 0
//   g = softmax(H / τ)                                                         x -> g [B, 1, n]
//
// With `top`, g is 0 but for the `top` largest of H, the first of equal ones, and the softmax is
// over those: g'_e = g_e / Σ of them, the paper's Softmax(KeepTopK(H, k)), in scoring as well. With
// dH = g ⊙ (dg - Σ_j g_j dg_j) / τ of the g that comes out,
//
//   d(x Aᵀ + c) = dH,   d(x Nᵀ)_e = dH_e ε_e σ((x Nᵀ)_e)
//
// Parameters: {name}.weight [n, I] (A), {name}.bias [n] (c, which the paper lacks), and
// {name}.noise.weight [n, I] (N), 0 at first: noise of ln 2. Source: Shazeer et al., "Outrageously
// Large Neural Networks: The Sparsely-Gated Mixture-of-Experts Layer", ICLR 2017, section 2.1,
// equations 3 to 5, and appendix A.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "plait/core/counter_random.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/workspace.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/kernels/softmax.hpp"
#include "plait/layers/linear.hpp"
#include "plait/layers/softmax_gate.hpp"

namespace plait {

struct GateNoise {
  Index top = 0;  // experts that have weight, at most; 0: all

  void fields(FieldVisitor& visit) { visit("top", top); }
  bool operator==(const GateNoise&) const = default;
};

template <class Scalar_>
class NoisyGate {
 public:
  using Scalar = Scalar_;
  struct Workspace {
    Tensor<Scalar> slope;  // ∂H/∂(x Nᵀ) = ε ⊙ σ(x Nᵀ) [B, 1, n], in a pass that draws
    bool noisy = false;
  };

  // [batch, 1, input_dim] to [batch, 1, num_weights]. Throws ConfigError for a temperature that is
  // not positive, a negative `top`, and one for which the table has too few terms.
  PLAIT_COLD NoisyGate(ParamTable& table, const std::string& name, Index input_dim,
                       Index num_weights, const GateNoise& config, bool bias, double temperature)
      : clean_(table, name, input_dim, num_weights, bias, temperature),
        noise_(table, join_name(name, "noise"), input_dim, num_weights, false, Init::constant(0)),
        top_(config.top) {
    require_config(top_ >= 0, "Gate", "top", text(top_), "at least 0");
    table.mark_last(noise_.weight());
    if (leaves_out()) table.spend_terms(num_weights, num_weights, "Gate");
  }

  Shape in_shape() const { return clean_.in_shape(); }
  Shape out_shape() const { return clean_.out_shape(); }
  bool draws() const { return true; }
  // True for weights of which some are exactly 0.
  bool leaves_out() const { return 0 < top_ && top_ < out_shape().dim; }
  // Without draws it does not read x by N.
  bool visit_input_linears(VisitLinear visit) const { return clean_.visit_input_linears(visit); }

  // x [B, 1, I], y [B, 1, n].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    const Scratch::Frame frame(scratch);
    const auto slope = keep(part(workspace, &Workspace::slope), scratch, x.batch(), 1, y.dim());
    if (workspace != nullptr) workspace->noisy = static_cast<bool>(options.draws);
    clean_.linear().apply(theta, x, y, Activation::identity);
    if (options.draws) {
      noise_.apply(theta, x, slope, Activation::identity);
      add_noise(options, y, slope);
    }
    clean_.normalise(y);
    if (leaves_out()) keep_top(y);
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, BackwardOptions options = {}) const {
    const Scratch::Frame frame(scratch);
    // g = softmax(H / τ)
    const View3<Scalar> dlogits = scratch.take<Scalar>(x.batch(), 1, y.dim());
    const View3<Scalar> dnoise = scratch.take<Scalar>(x.batch(), 1, y.dim());
    kernels::softmax_backward(clean_.temperature(), y, dy, dlogits);
    // H = x Aᵀ + c + ε ⊙ softplus(x Nᵀ)
    clean_.linear().backward(theta, x, y, dlogits, dx, {}, grad, scratch, options);
    if (!workspace.noisy) return;
    kernels::multiply<Scalar>(dlogits, workspace.slope, dnoise);
    noise_.backward(theta, x, y, dnoise, dx, {}, grad, scratch, {.adds_to_dx = true});
  }

 private:
  // `slope` is x Nᵀ before.
  void add_noise(const ForwardOptions& options, View3<Scalar> logits, View3<Scalar> slope) const {
    const CounterRandom stream = stream_of(options.draws);
    for (Index b = 0; b < logits.batch(); ++b) {
      const auto of_row = stream.at(static_cast<std::uint64_t>(options.first_row + b));
      for (Index e = 0; e < logits.dim(); ++e) {
        const double epsilon = of_row.at(static_cast<std::uint64_t>(e)).normal();
        const auto n = static_cast<double>(slope.row(b)[e]);
        const double softplus = (std::max)(n, 0.0) + std::log1p(std::exp(-std::abs(n)));
        logits.row(b)[e] += static_cast<Scalar>(epsilon * softplus);
        slope.row(b)[e] = static_cast<Scalar>(epsilon * sigmoid(n));
      }
    }
  }

  // g to g', in place. What is 0 already outranks none of the largest.
  void keep_top(View3<Scalar> weights) const {
    for (Index b = 0; b < weights.batch(); ++b) {
      Scalar* const g = weights.row(b);
      Scalar kept = 0;
      for (Index e = 0; e < weights.dim(); ++e) {
        Index above = 0;
        for (Index j = 0; j < weights.dim(); ++j)
          above += g[j] > g[e] || (g[j] == g[e] && j < e) ? 1 : 0;
        if (above >= top_) g[e] = 0;
        kept += g[e];
      }
      for (Index e = 0; e < weights.dim(); ++e) g[e] /= kept;
    }
  }

  SoftmaxGate<Scalar> clean_;
  Linear<Scalar> noise_;
  Index top_;
};

static_assert(TakesBackwardOptions<NoisyGate<float>> && TakesForwardOptions<NoisyGate<float>>);

}  // namespace plait
