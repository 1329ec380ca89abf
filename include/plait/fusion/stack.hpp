// FusionStack: fusion levels one after the other; what every routed architecture is made of.
//
//   x^0 = x,  x^l = level_l(x^{l-1}, x),  y = x^L       x [B, S, D], y [B, T, H_L]
//
// An architecture (architectures/) supplies the Plan.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/network.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/watch.hpp"
#include "plait/core/workspace.hpp"
#include "plait/fusion/level.hpp"
#include "plait/fusion/route.hpp"

namespace plait {

template <class Scalar_>
class FusionStack {
 public:
  using Scalar = Scalar_;
  struct Workspace {
    std::vector<typename FusionLevel<Scalar>::Workspace> levels;
    std::vector<Tensor<Scalar>> states;  // x^l [B, units of level l, H_l] for 0 < l < L
  };

  // Throws ConfigError for a plan that cannot be built.
  PLAIT_COLD FusionStack(ParamTable& table, const Plan& plan) {
    require_config(!plan.levels.empty(), "FusionStack", "levels", "none", "at least one");
    Shape state = plan.in;
    for (const LevelPlan& level : plan.levels) {
      levels_.emplace_back(table, level, state, plan.in);
      state = levels_.back().out_shape();
      gates_read_input_ = gates_read_input_ || level.route.gates_read_input;
    }
  }

  Shape in_shape() const { return levels_.front().in_shape(); }
  Shape out_shape() const { return levels_.back().out_shape(); }
  bool drops_experts() const { return true; }
  bool draws() const { return std::ranges::any_of(levels_, &FusionLevel<Scalar>::draws); }

  bool visit_input_linears(VisitLinear visit) const {
    bool all = levels_.front().visit_input_linears(visit);
    for (std::size_t l = 1; l < levels_.size(); ++l)
      if (levels_[l].gates_read_input()) all = levels_[l].visit_gate_linears(visit) && all;
    return all;
  }

  // As core/watch.hpp has it.
  PLAIT_COLD std::vector<WatchedLevel> watched() const {
    std::vector<WatchedLevel> result;
    for (const auto& level : levels_) result.push_back(level.watched());
    result.back().makes_output = true;
    return result;
  }
  void watch(ParamView<Scalar> theta, const Workspace& workspace, Scratch& scratch,
             ShowLevel<Scalar> show) const {
    for (std::size_t l = 0; l < levels_.size(); ++l)
      levels_[l].watch(theta, workspace.levels[l], scratch, static_cast<Index>(l), show);
  }

  // As core/reach.hpp has it.
  bool reach(Flags live, std::span<bool> live_in, MarkRange mark, Scratch& scratch) const {
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

  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    const Scratch::Frame frame(scratch);
    if (workspace != nullptr) {
      workspace->levels.resize(levels_.size());
      workspace->states.resize(levels_.size() - 1);
    }
    View3<const Scalar> state = x;
    for (std::size_t l = 0; l < levels_.size(); ++l) {
      const Shape shape = levels_[l].out_shape();
      View3<Scalar> next = y;
      if (l + 1 < levels_.size())
        next = keep_slot_major(part(workspace, &Workspace::states, l), scratch, x.batch(),
                               shape.slots, shape.dim);
      levels_[l].forward(theta, state, x, next, part(workspace, &Workspace::levels, l), scratch,
                         options_of(l, options));
      state = next;
    }
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar>,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    const Scratch::Frame frame(scratch);
    // What gates that read the input pass back to it, from every level.
    View3<Scalar> dinput;
    if (dx && gates_read_input_) {
      dinput = scratch.take<Scalar>(x.batch(), x.slots(), x.dim());
      kernels::set_zero(dinput);
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
      if (!written) kernels::set_zero(dx.slot(s));
      kernels::add(dinput.slot(s), dx.slot(s));
    }
  }

 private:
  static ForwardOptions options_of(std::size_t l, const ForwardOptions& options) {
    const auto level = static_cast<Index>(l);
    ForwardOptions result = options.inside(level);
    result.expert_dropout = options.expert_dropout;
    result.expert_dropout.level = level;
    return result;
  }
  // The slots of level l's state that the gradient of its live units reaches.
  Flags state_reached(std::size_t l, Flags live, Scratch& scratch) const {
    const std::span<bool> state = take_flags(scratch, levels_[l].in_shape().slots);
    const std::span<bool> input = take_flags(scratch, in_shape().slots);
    levels_[l].reach(
        live, state, input, [](const ParamRange&) {}, scratch);
    return state;
  }

  std::vector<FusionLevel<Scalar>> levels_;
  bool gates_read_input_ = false;
};

// The stack of a plan behind the one type.
template <class Scalar>
Network<Scalar> build_plan(ParamTable& table, const Plan& plan) {
  return FusionStack<Scalar>(table, plan);
}

#ifdef PLAIT_COMPILED
extern template Network<float> build_plan<float>(ParamTable&, const Plan&);
extern template Network<double> build_plan<double>(ParamTable&, const Plan&);
#endif

static_assert(TellsReach<FusionStack<float>> && TakesForwardOptions<FusionStack<float>> &&
              Watchable<FusionStack<float>>);

}  // namespace plait
