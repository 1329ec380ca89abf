// Towers: one small network per task from the task's slot to its logits.
//                                              x [B, T, H] -> y [B, 1, Σ_t C_t]
//   z_t = body_t(x_t) W_tᵀ + b_t
//
// The logits of all tasks lie side by side, task t's C_t numbers from column offset(t) on; with one
// logit per task y is [batch, task]. Nothing is applied to them: losses work on logits.
// Parameters: {t}.0.mlp_net.{2j}.weight|bias (body), {t}.1.weight [C_t, ·], {t}.1.bias; a Model
// puts them under task_modules. Without hidden layers the tower is the linear layer alone. Source:
// facebookresearch/AdaTT mtl_lib.py, CentralTaskArch.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "plait/core/reach.hpp"
#include "plait/layers/linear.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/routing.hpp"

namespace plait {

template <class Scalar_, Body TowerBody_ = MLP<Scalar_>>
class Towers {
 public:
  using Scalar = Scalar_;
  struct Config {
    std::vector<typename TowerBody_::Config> hidden{{}};  // one for all tasks, or one per task
    std::vector<Index> outputs{1};                        // C_t: one for all tasks, or one per task
  };
  struct Workspace {
    std::vector<typename TowerBody_::Workspace> bodies;
    std::vector<Tensor<Scalar>> hidden;  // body_t(x_t) [B, 1, ·]; unused for an identity
  };

  // `in` is the trunk's output shape: one slot per task. Throws ConfigError for sizes below 1.
  Towers(ParamTable& table, const std::string& name, Shape in, const Config& config) : in_(in) {
    const auto hidden = one_or_each(config.hidden, in.slots, "Towers", "hidden");
    const auto outputs = one_or_each(config.outputs, in.slots, "Towers", "outputs");
    for (std::size_t t = 0; t < hidden.size(); ++t) {
      const std::string tower = join_name(name, std::to_string(t));
      const Index before = table.buffer_size();
      bodies_.emplace_back(table, tower + ".0", in.dim, hidden[t]);
      heads_.emplace_back(table, tower + ".1", bodies_[t].out_shape().dim, outputs[t]);
      params_.push_back(table.range_from(before));
      offsets_.push_back(width_);
      width_ += outputs[t];
    }
  }

  Shape in_shape() const { return in_; }
  Shape out_shape() const { return {1, width_}; }
  Index num_tasks() const { return in_.slots; }
  Index num_outputs() const { return num_tasks(); }
  // First column of a task's logits, and their number.
  Index offset(Index task) const { return offsets_[static_cast<std::size_t>(task)]; }
  Index outputs(Index task) const { return heads_[static_cast<std::size_t>(task)].out_shape().dim; }

  // As core/reach.hpp has it; `live` tasks.
  template <class Mark>
  bool reach(Flags live, std::span<bool> live_in, const Mark& mark, Scratch&) const {
    for (std::size_t t = 0; t < live.size(); ++t) {
      if (!live[t]) continue;
      mark(params_[t]);
      live_in[t] = true;
    }
    return true;
  }

  void infer(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
             Scratch& scratch) const {
    climb<false>(theta, x, y, nullptr, scratch);
  }
  void forward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace& workspace, Scratch& scratch) const {
    workspace.bodies.resize(bodies_.size());
    workspace.hidden.resize(bodies_.size());
    climb<true>(theta, x, y, &workspace, scratch);
  }

  void backward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                ParamView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    for (std::size_t t = 0; t < bodies_.size(); ++t) {
      if (!live.empty() && !live[t]) continue;
      const Scratch::Frame frame(scratch);
      const auto task = static_cast<Index>(t);
      const View3<const Scalar> input = x.slot(task);
      const View3<const Scalar> logits = y.columns(offset(task), outputs(task));
      const View3<const Scalar> dlogits = dy.columns(offset(task), outputs(task));
      const View3<Scalar> dinput = dx ? dx.slot(task) : View3<Scalar>();
      if (is_identity(bodies_[t])) {
        heads_[t].backward(theta, input, logits, dlogits, dinput, {}, grad, scratch);
        continue;
      }
      // z = h Wᵀ + b
      const View3<const Scalar> hidden = workspace.hidden[t];
      const auto dhidden = scratch.take<Scalar>(x.batch(), 1, hidden.dim());
      heads_[t].backward(theta, hidden, logits, dlogits, dhidden, {}, grad, scratch);
      // h = body(x_t)
      bodies_[t].backward(theta, input, hidden, dhidden, dinput, workspace.bodies[t], grad,
                          scratch);
    }
  }

 private:
  template <bool Record>
  void climb(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
             Workspace* workspace, Scratch& scratch) const {
    for (std::size_t t = 0; t < bodies_.size(); ++t) {
      const Scratch::Frame frame(scratch);
      const auto task = static_cast<Index>(t);
      View3<const Scalar> hidden = x.slot(task);
      if (!is_identity(bodies_[t])) {
        const Index dim = bodies_[t].out_shape().dim;
        View3<Scalar> out;
        if constexpr (Record) {
          workspace->hidden[t].resize(x.batch(), 1, dim);
          out = workspace->hidden[t];
        } else {
          out = scratch.take<Scalar>(x.batch(), 1, dim);
        }
        run<Record>(bodies_[t], theta, x.slot(task), out, Record ? &workspace->bodies[t] : nullptr,
                    scratch);
        hidden = out;
      }
      heads_[t].infer(theta, hidden, y.columns(offset(task), outputs(task)), scratch);
    }
  }

  Shape in_;
  std::vector<TowerBody_> bodies_;
  std::vector<Linear<Scalar>> heads_;
  std::vector<Index> offsets_;
  std::vector<ParamRange> params_;  // of each tower
  Index width_ = 0;
};

static_assert(TellsReach<Towers<float>>);

}  // namespace plait
