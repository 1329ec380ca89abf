// DSelectGate: DSelect-k, a differentiable choice of experts, in the end of at most k of n.
//
//   q(e) = Σ_k w_k r_k(e),   w = softmax(a)                                       x -> q [B, 1, n]
//
// Selector k chooses by m = ⌈log2 n⌉ numbers z_k, through a smooth step of width γ
// (kernels/dselect.hpp has r). Once they have left the step's slope its weight is on one expert,
// and all others are exactly 0. z and a are linear functions of x (per_example) or parameters, the
// same for all rows. Backward:
//
//   dw_k = Σ_e dq_e r_k(e),   da = w ⊙ (dw - Σ_k w_k dw_k),   dz_k = w_k Σ_e dq_e ∂r_k(e)/∂z_k
//
// For n that is no power of two some numbers stand for no expert; what a selector gives them is
// lost, Σ_e q(e) < 1. Regularisers against that and for an early choice: dselect_penalty.hpp.
//
// Parameters: per example {name}.z.weight [k m, I], {name}.z.bias [k m], {name}.w.weight [k, I],
// {name}.w.bias [k]; static {name}.z [k, m], {name}.w [k]. z starts at U(-γ/100, γ/100), w at
// U(-0.05, 0.05). One expert has weight 1 and no parameters. Source: Hazimeh et al., "DSelect-k:
// Differentiable Selection in the Mixture of Experts", NeurIPS 2021; google-research dselect_k_moe.
// (LibMTL's port steps with γ = 1 whatever it is set to; here γ is both.)
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/workspace.hpp"
#include "plait/kernels/dselect.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/kernels/softmax.hpp"
#include "plait/layers/dselect_penalty.hpp"
#include "plait/layers/linear.hpp"

namespace plait {

struct DSelectK {
  Index selectors = 2;      // k: at most as many experts have weight once all have chosen
  double gamma = 1;         // γ > 0: how far z has to go from no choice to a choice
  bool per_example = true;  // false: static routing, one choice for all rows

  void fields(FieldVisitor& visit) {
    visit("selectors", selectors);
    visit("gamma", gamma);
    visit("per_example", per_example);
  }
  bool operator==(const DSelectK&) const = default;
};

template <class Scalar_>
class DSelectGate {
 public:
  using Scalar = Scalar_;
  struct Workspace {         // of each row; static: of one
    Tensor<Scalar> z;        // [B, 1, k m], selector by selector
    Tensor<Scalar> w;        // [B, 1, k]
    Tensor<Scalar> weights;  // q [B, 1, n]: the level may drop experts from y
  };

  // [batch, 1, input_dim] to [batch, 1, num_weights]. Throws ConfigError for no selectors, a γ
  // that is not positive, and more selectors than the table has activations and terms for.
  PLAIT_COLD DSelectGate(ParamTable& table, const std::string& name, Index input_dim,
                         Index num_weights, const DSelectK& config, bool bias = true)
      : input_dim_(input_dim),
        num_weights_(num_weights),
        selectors_(config.selectors),
        gamma_(static_cast<Scalar>(config.gamma)),
        per_example_(config.per_example) {
    require_config(num_weights >= 1, "DSelectGate", "experts", text(num_weights), "at least 1");
    require_config(selectors_ >= 1, "DSelectGate", "selectors", text(selectors_), "at least 1");
    require_config(gamma_ >= (std::numeric_limits<Scalar>::min)() && std::isfinite(gamma_),
                   "DSelectGate", "gamma", text(config.gamma), "a positive, finite number");
    if (!chooses()) return;
    table.spend_activations(selectors_, bits() + 1, "DSelectGate");
    table.spend_terms(selectors_, kernels::selector_nodes(num_weights), "DSelectGate");
    const Init of_z = Init::uniform(config.gamma / 100);
    const Init of_w = Init::uniform(0.05);
    if (per_example_) {
      const auto add = [&](const char* suffix, Index outputs, Init init) {
        Linear<Scalar> linear(table, join_name(name, suffix), input_dim, outputs, bias, init);
        table.mark_last(linear.weight());
        return linear;
      };
      z_of_x_ = add("z", selectors_ * bits(), of_z);
      w_of_x_ = add("w", selectors_, of_w);
    } else {
      z_ = table.add_matrix(join_name(name, "z"), selectors_, bits(), of_z);
      w_ = table.add_vector(join_name(name, "w"), selectors_, of_w);
    }
  }

  Shape in_shape() const { return {1, input_dim_}; }
  Shape out_shape() const { return {1, num_weights_}; }
  // False for weights that are the same whatever x is.
  bool reads_input() const { return z_of_x_.has_value(); }

  bool visit_input_linears(VisitLinear visit) const {
    return !reads_input() ||
           (z_of_x_->visit_input_linears(visit) && w_of_x_->visit_input_linears(visit));
  }

  // x [B, 1, I], y [B, 1, n].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch) const {
    if (!chooses()) {
      for (Index b = 0; b < y.batch(); ++b) *y.row(b) = 1;
      return;
    }
    const Scratch::Frame frame(scratch);
    const Index rows = rows_of(x.batch());
    const auto z = keep(part(workspace, &Workspace::z), scratch, rows, 1, selectors_ * bits());
    const auto w = keep(part(workspace, &Workspace::w), scratch, rows, 1, selectors_);
    if (reads_input()) {
      z_of_x_->apply(theta, x, z, Activation::identity);
      w_of_x_->apply(theta, x, w, Activation::identity);
    } else if (rows > 0) {
      std::copy_n(theta.data(*z_), z.dim(), z.row(0));
      std::copy_n(theta.data(*w_), w.dim(), w.row(0));
    }
    kernels::softmax(Scalar(1), w);

    // q(e) = Σ_k w_k r_k(e)
    Scalar* const nodes = take_nodes(scratch);
    kernels::SmoothSteps<Scalar> steps;
    for (Index b = 0; b < rows; ++b) {
      Scalar* const q = y.row(b);
      std::fill_n(q, num_weights_, Scalar(0));
      for (Index k = 0; k < selectors_; ++k) {
        kernels::smooth_steps(bits(), z.row(b) + k * bits(), gamma_, steps);
        const Scalar* const r = kernels::selector(num_weights_, steps, nodes);
        for (Index e = 0; e < num_weights_; ++e) q[e] += w.row(b)[k] * r[e];
      }
    }
    for (Index b = rows; b < y.batch(); ++b) std::copy_n(y.row(0), num_weights_, y.row(b));
    if (workspace == nullptr) return;
    workspace->weights.resize(rows, 1, num_weights_);
    kernels::copy<Scalar>(y.rows(0, rows), workspace->weights);
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, BackwardOptions options = {}) const {
    PLAIT_ASSERT(!options.passed_last_relu);
    if (!reads_input() && dx && !options.adds_to_dx) kernels::set_zero(dx);
    if (!chooses()) return;
    const Scratch::Frame frame(scratch);
    const View3<const Scalar> z = workspace.z, w = workspace.w;
    const Index rows = w.batch();
    const View3<Scalar> dq = through_dropout(y, dy, workspace.weights, scratch);

    // q(e) = Σ_k w_k r_k(e)
    const auto dz = scratch.take<Scalar>(rows, 1, z.dim());
    const auto dw = scratch.take<Scalar>(rows, 1, w.dim());
    Scalar* const dr = scratch.take<Scalar>(1, 1, num_weights_).data();
    Scalar* const nodes = take_nodes(scratch);
    kernels::SmoothSteps<Scalar> steps;
    for (Index b = 0; b < rows; ++b)
      for (Index k = 0; k < selectors_; ++k) {
        kernels::smooth_steps(bits(), z.row(b) + k * bits(), gamma_, steps);
        kernels::selector(num_weights_, steps, nodes);
        std::copy_n(dq.row(b), num_weights_, dr);
        dw.row(b)[k] = kernels::selector_backward(num_weights_, steps, nodes, w.row(b)[k], dr,
                                                  dz.row(b) + k * bits());
      }

    // w = softmax(a), and a and z are of x or parameters
    const auto da = scratch.take<Scalar>(rows, 1, w.dim());
    kernels::softmax_backward(Scalar(1), w, dw, da);
    if (reads_input())
      w_of_x_->backward(theta, x, w, da, dx, {}, grad, scratch, options);
    else if (rows > 0)
      kernels::add(da.dim(), da.row(0), grad.add_to(*w_).data);
    backward_z(theta, x, dz, dx, grad, scratch);
  }

  // The regularisers' sum over selectors and, per example, rows, after a forward with this
  // workspace. Adds their gradients to grad and, unless it is empty, to dx.
  double add_penalty(ParamView<Scalar> theta, View3<const Scalar> x, const DSelectPenalty& penalty,
                     View3<Scalar> dx, const Workspace& workspace, GradView<Scalar> grad,
                     Scratch& scratch) const {
    if (!chooses()) return 0;
    const Scratch::Frame frame(scratch);
    const View3<const Scalar> z = workspace.z;
    const auto dz = scratch.take<Scalar>(z.batch(), 1, z.dim());
    const double value = dselect_penalty(penalty, num_weights_, gamma_, z, dz, scratch);
    backward_z(theta, x, dz, dx, grad, scratch);
    return value;
  }

 private:
  bool chooses() const { return num_weights_ > 1; }
  Index bits() const { return kernels::code_bits(num_weights_); }
  Index rows_of(Index batch) const { return per_example_ ? batch : (std::min)(batch, Index{1}); }
  Scalar* take_nodes(Scratch& scratch) const {
    return scratch.take<Scalar>(1, 1, kernels::selector_nodes(num_weights_)).data();
  }

  // Adds to dx.
  void backward_z(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> dz,
                  View3<Scalar> dx, GradView<Scalar> grad, Scratch& scratch) const {
    if (reads_input())
      z_of_x_->backward(theta, x, dz, dz, dx, {}, grad, scratch, {.adds_to_dx = true});
    else if (dz.batch() > 0)
      kernels::add(dz.dim(), dz.row(0), grad.add_to(*z_).data);
  }

  // dq of every row, static: summed over them. Experts that the level dropped, fusion/dropout.hpp,
  // show as zeros of y where q has none. With Q = Σ_e q_e and K the same over those that are kept,
  //
  //   y_e = m_e q_e Q / K,   dq_e = m_e Q / K (dy_e - s) + s,   s = Σ_j dy_j y_j / Q
  View3<Scalar> through_dropout(View3<const Scalar> y, View3<const Scalar> dy,
                                View3<const Scalar> weights, Scratch& scratch) const {
    const auto dq = scratch.take<Scalar>(dy.batch(), 1, num_weights_);
    for (Index b = 0; b < dy.batch(); ++b) {
      const Scalar* const q = weights.row(per_example_ ? b : 0);
      const Scalar* const of_y = y.row(b);
      std::copy_n(dy.row(b), num_weights_, dq.row(b));
      bool dropped = false;
      Scalar total = 0, kept = 0, projected = 0;
      for (Index e = 0; e < num_weights_; ++e) {
        total += q[e];
        if (of_y[e] != 0) kept += q[e];
        projected += of_y[e] * dy.row(b)[e];
        dropped = dropped || (of_y[e] == 0 && q[e] != 0);
      }
      if (!dropped) continue;
      const Scalar s = projected / total;
      for (Index e = 0; e < num_weights_; ++e) {
        Scalar& d = dq.row(b)[e];
        d = of_y[e] != 0 ? total / kept * (d - s) + s : s;
      }
    }
    if (per_example_) return dq;
    const auto sums = scratch.take<Scalar>(rows_of(dy.batch()), 1, num_weights_);
    kernels::set_zero(sums);
    if (dy.batch() > 0) kernels::add_batch_sums<Scalar>(dq, sums.row(0));
    return sums;
  }

  Index input_dim_;
  Index num_weights_;
  Index selectors_;
  Scalar gamma_;
  bool per_example_;
  std::optional<Linear<Scalar>> z_of_x_, w_of_x_;  // per example
  std::optional<ParamId> z_, w_;                   // static
};

static_assert(TakesBackwardOptions<DSelectGate<float>>);

}  // namespace plait
