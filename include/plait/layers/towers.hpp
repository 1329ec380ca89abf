// Towers: one small network per task from the task's slot to its logits.
//                                              x [B, T, H] -> y [B, 1, Σ_t C_t]
//   z_t = body_t(x_t) W_tᵀ + b_t
//
// The logits of all tasks lie side by side, task t's C_t numbers from column offset(t) on; with one
// logit per task y is [batch, task]. Nothing is applied to them: losses work on logits.
// Parameters: {t}.0.mlp_net.{2j}.weight|bias (body), {t}.1.weight [C_t, ·], {t}.1.bias; a Model
// puts them under task_modules. Without hidden layers the tower is the linear layer alone. Source:
// facebookresearch/AdaTT mtl_lib.py, CentralTaskArch.
//
// With `small`, every task has a second, small tower on the same input, for training alone
// (self-auxiliaries: Wang et al., Can small heads help? Understanding and improving multi-task
// generalization, WWW 2022). It predicts the task's own labels; being weak, it asks the shared
// representation for what is easy to read from it. The loss gives it a weight λ (with_auxiliary),
// and serving leaves it away (Model::serving). Tasks 0 ... T - 1 are then the towers, T ... 2 T - 1
// the small ones, and y is [towers, small towers].
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/each.hpp"
#include "plait/core/network.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/workspace.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/body.hpp"
#include "plait/layers/linear.hpp"

namespace plait {

struct TowersConfig {
  std::vector<Body> hidden{{}};   // hidden layers: one for all tasks, or one per task
  std::vector<Index> outputs{1};  // C_t: one for all tasks, or one per task
  std::vector<Body> small{};      // of the small towers, in the same way; empty: there are none

  void fields(FieldVisitor& visit) {
    visit("hidden", hidden);
    visit("outputs", outputs);
    bool has_small = !small.empty();
    visit.unless_default("has_small", has_small, false);
    if (has_small) visit("small", small);
  }
};

template <class Scalar_>
class Towers {
 public:
  using Scalar = Scalar_;
  struct Workspace {
    std::vector<typename Network<Scalar>::Workspace> bodies;
    std::vector<Tensor<Scalar>> hidden;  // body_t(x_t) [B, 1, ·]; unused for an identity
  };

  // `in` is the trunk's output shape: one slot per task. The names prefix the towers' parameters
  // and the small ones'. Throws ConfigError for sizes below 1.
  PLAIT_COLD Towers(ParamTable& table, const std::string& name, Shape in,
                    const TowersConfig& config, const std::string& small_name = "auxiliary")
      : in_(in) {
    const Each outputs(config.outputs, in.slots, "Towers", "outputs");
    add(table, name, Each(config.hidden, in.slots, "Towers", "hidden"), outputs);
    if (!config.small.empty())
      add(table, small_name, Each(config.small, in.slots, "Towers", "small"), outputs);
  }

  Shape in_shape() const { return in_; }
  Shape out_shape() const { return {1, width_}; }
  // Small towers are tasks as well.
  Index num_tasks() const { return std::ssize(towers_); }
  Index num_outputs() const { return num_tasks(); }
  // First column of a task's logits, and their number.
  Index offset(Index task) const { return towers_[static_cast<std::size_t>(task)].offset; }
  Index outputs(Index task) const {
    return towers_[static_cast<std::size_t>(task)].head.out_shape().dim;
  }

  bool draws() const {
    return std::ranges::any_of(towers_, [](const Tower& tower) { return tower.body.draws(); });
  }

  // As core/reach.hpp has it; `live` tasks.
  bool reach(Flags live, std::span<bool> live_in, MarkRange mark, Scratch&) const {
    for (std::size_t t = 0; t < live.size(); ++t) {
      if (!live[t]) continue;
      mark(towers_[t].params);
      live_in[static_cast<std::size_t>(towers_[t].slot)] = true;
    }
    return true;
  }

  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    if (workspace != nullptr) {
      workspace->bodies.resize(towers_.size());
      workspace->hidden.resize(towers_.size());
    }
    ForwardOptions own = options.inside(0);
    for (std::size_t t = 0; t < towers_.size(); ++t) {
      if (options.draws) own = options.inside(static_cast<Index>(t));
      const Scratch::Frame frame(scratch);
      const Tower& tower = towers_[t];
      View3<const Scalar> input = x.slot(tower.slot);
      if (!tower.body.is_identity()) {
        const View3<Scalar> hidden = keep(part(workspace, &Workspace::hidden, t), scratch,
                                          x.batch(), 1, tower.body.out_shape().dim);
        tower.body.forward(theta, input, hidden, part(workspace, &Workspace::bodies, t), scratch,
                           own);
        input = hidden;
      }
      tower.head.apply(theta, input, logits_of(tower, y), Activation::identity);
    }
  }

  // x [B, T, H], y and dy [B, 1, Σ_t C_t], dx [B, T, H].
  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    const Scratch::Frame frame(scratch);
    const std::span<bool> written = take_flags(scratch, in_.slots);
    for (std::size_t t = 0; t < towers_.size(); ++t) {
      if (!live.empty() && !live[t]) continue;
      const Scratch::Frame tower_frame(scratch);
      const Tower& tower = towers_[t];
      const bool adds = std::exchange(written[static_cast<std::size_t>(tower.slot)], true);
      View3<Scalar> dinput = dx ? dx.slot(tower.slot) : View3<Scalar>();
      if (dx && adds) dinput = scratch.take<Scalar>(x.batch(), 1, x.dim());
      backward(t, theta, x.slot(tower.slot), y, dy, dinput, workspace, grad, scratch);
      if (dx && adds) kernels::add<Scalar>(dinput, dx.slot(tower.slot));
    }
  }

 private:
  struct Tower {
    Network<Scalar> body;
    Linear<Scalar> head;
    Index slot;         // that it reads
    Index offset;       // of its logits
    ParamRange params;  // of both
  };

  PLAIT_COLD void add(ParamTable& table, const std::string& name, const Each<Body>& hidden,
                      const Each<Index>& outputs) {
    for (Index t = 0; t < in_.slots; ++t) {
      const std::string tower = join_name(name, std::to_string(t));
      const Index before = table.buffer_size();
      Network<Scalar> body = hidden[t].template build<Scalar>(table, tower + ".0", in_.dim);
      Linear<Scalar> head(table, tower + ".1", body.out_shape().dim, outputs[t]);
      table.mark_last(head.weight());
      towers_.push_back({std::move(body), std::move(head), t, width_, table.range_from(before)});
      width_ += outputs[t];
    }
  }
  template <class T>
  static View3<T> logits_of(const Tower& tower, View3<T> all) {
    return all.columns(tower.offset, tower.head.out_shape().dim);
  }

  // Of one tower; dinput may be empty.
  void backward(std::size_t t, ParamView<Scalar> theta, View3<const Scalar> input,
                View3<const Scalar> y, View3<const Scalar> dy, View3<Scalar> dinput,
                const Workspace& workspace, GradView<Scalar> grad, Scratch& scratch) const {
    const Tower& tower = towers_[t];
    const View3<const Scalar> logits = logits_of(tower, y);
    const View3<const Scalar> dlogits = logits_of(tower, dy);
    if (tower.body.is_identity())
      return tower.head.backward(theta, input, logits, dlogits, dinput, {}, grad, scratch);
    // z = h Wᵀ + b
    const View3<const Scalar> hidden = workspace.hidden[t];
    const auto dhidden = scratch.take<Scalar>(input.batch(), 1, hidden.dim());
    tower.head.backward(theta, hidden, logits, dlogits, dhidden, {}, grad, scratch);
    // h = body(x_t)
    tower.body.backward(theta, input, hidden, dhidden, dinput, workspace.bodies[t], grad, scratch);
  }

  Shape in_;
  std::vector<Tower> towers_;
  Index width_ = 0;
};

static_assert(TellsReach<Towers<float>> && TakesForwardOptions<Towers<float>>);

}  // namespace plait
