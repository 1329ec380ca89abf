// FusionStack: fusion levels one after the other; what every routed architecture is made of.
//
//   x^0 = x,  x^l = level_l(x^{l-1}, x),  y = x^L       x [B, S, D], y [B, T, H_L]
//
// An architecture's header derives from it and supplies one LevelRoute per level.
#pragma once
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/reach.hpp"
#include "plait/layers/expert_dropout.hpp"
#include "plait/layers/fusion_level.hpp"

namespace plait {

template <Body Expert_, Body GateBody_>
class FusionStack {
 public:
  using Expert = Expert_;
  using GateBody = GateBody_;
  using Scalar = typename Expert::Scalar;
  struct Workspace {
    std::vector<typename FusionLevel<Expert, GateBody>::Workspace> levels;
    std::vector<Tensor<Scalar>> states;  // x^l [B, units of level l, H_l] for 0 < l < L
    ExpertDropout dropout;               // of the next forward, in every level
  };

  Shape in_shape() const { return levels_.front().in_shape(); }
  Shape out_shape() const { return levels_.back().out_shape(); }
  const std::vector<FusionLevel<Expert, GateBody>>& levels() const { return levels_; }

  template <class F>
  bool visit_input_linears(const F& f) const {
    bool all = levels_.front().visit_input_linears(f);
    for (std::size_t l = 1; l < levels_.size(); ++l)
      if (levels_[l].gates_read_input()) all = levels_[l].visit_gate_linears(f) && all;
    return all;
  }

  // As core/reach.hpp has it.
  template <class Mark>
  bool reach(Live live, std::span<bool> live_in, const Mark& mark, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const std::span<bool> input = take_flags(scratch, in_shape().slots);
    for (std::size_t l = levels_.size(); l-- > 0;) {
      const std::span<bool> state =
          l == 0 ? live_in : take_flags(scratch, levels_[l].in_shape().slots);
      levels_[l].reach(live, state, input, mark, scratch);
      live = state;
    }
    for (std::size_t s = 0; s < input.size(); ++s) live_in[s] = live_in[s] || input[s];
    return true;
  }

  void infer(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
             Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    View3<const Scalar> state = x;
    for (std::size_t l = 0; l < levels_.size(); ++l) {
      const Shape shape = levels_[l].out_shape();
      const View3<Scalar> next = l + 1 == levels_.size() ? y
                                                         : scratch.take_slot_major<Scalar>(
                                                               x.batch(), shape.slots, shape.dim);
      levels_[l].infer(theta, state, x, next, scratch);
      state = next;
    }
  }

  void forward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace& workspace, Scratch& scratch) const {
    workspace.levels.resize(levels_.size());
    workspace.states.resize(levels_.size() - 1);
    View3<const Scalar> state = x;
    for (std::size_t l = 0; l < levels_.size(); ++l) {
      View3<Scalar> next = y;
      if (l + 1 < levels_.size()) {
        const Shape shape = levels_[l].out_shape();
        workspace.states[l].resize(x.batch(), shape.slots, shape.dim);
        next = workspace.states[l].slot_major();
      }
      workspace.levels[l].dropout = workspace.dropout;
      workspace.levels[l].dropout.level = static_cast<Index>(l);
      levels_[l].forward(theta, state, x, next, workspace.levels[l], scratch);
      state = next;
    }
  }

  void backward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar>,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                ParamView<Scalar> grad, Scratch& scratch, Live live = {}) const {
    const Scratch::Frame frame(scratch);
    // What gates that read the input pass back to it, from every level.
    View3<Scalar> dinput;
    if (dx && gates_read_input_) {
      dinput = scratch.take<Scalar>(x.batch(), x.slots(), x.dim());
      set_zero(dinput);
    }
    View3<const Scalar> dstate = dy;
    for (std::size_t l = levels_.size(); l-- > 0;) {
      const View3<const Scalar> state = l == 0 ? x : workspace.states[l - 1].slot_major();
      const View3<Scalar> below =
          l == 0 ? dx : scratch.take_slot_major<Scalar>(x.batch(), state.slots(), state.dim());
      levels_[l].backward(theta, state, x, dstate, below, dinput, workspace.levels[l], grad,
                          scratch, live);
      dstate = below;
      if (!live.empty()) live = state_reached(l, live, scratch);
    }
    if (!dinput) return;
    for (Index s = 0; s < dx.slots(); ++s) {
      const bool written = live.empty() || live[static_cast<std::size_t>(s)];
      if (!written) set_zero(dx.slot(s));
      add(dinput.slot(s), dx.slot(s));
    }
  }

 protected:
  // One level per route, each with its own expert and gate configuration.
  FusionStack(ParamTable& table, Shape in, const std::vector<LevelRoute>& routes,
              const std::vector<typename Expert::Config>& experts,
              const GateConfigs<GateBody>& gates) {
    PLAIT_ASSERT(!routes.empty() && routes.size() == experts.size() &&
                 routes.size() == gates.size());
    Shape state = in;
    for (std::size_t l = 0; l < routes.size(); ++l) {
      levels_.emplace_back(table, routes[l], state, in, experts[l], gates[l]);
      state = levels_.back().out_shape();
      gates_read_input_ = gates_read_input_ || routes[l].gates_read_input;
    }
  }

 private:
  // The slots of level l's state that the gradient of its live units reaches.
  Live state_reached(std::size_t l, Live live, Scratch& scratch) const {
    const std::span<bool> state = take_flags(scratch, levels_[l].in_shape().slots);
    const std::span<bool> input = take_flags(scratch, in_shape().slots);
    levels_[l].reach(live, state, input, detail::AnyMark(), scratch);
    return state;
  }

  std::vector<FusionLevel<Expert, GateBody>> levels_;
  bool gates_read_input_ = false;
};

}  // namespace plait
