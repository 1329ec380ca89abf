// FusionStack: fusion levels one after the other; what every routed architecture is made of.
//
//   x^0 = x,  x^l = level_l(x^{l-1}, x),  y = x^L       x [B, S, D], y [B, T, H_L]
//
// An architecture (architectures/) supplies the Plan.
//
// With ForwardOptions::recompute_levels = n a workspace keeps x^l for every n-th l alone, and
// backward goes through n levels at a time, whose forward it runs again first: the same numbers to
// the last bit, in the memory of L / n states and n levels instead of L levels, for up to one
// forward pass more, or one for every task whose gradient is taken by itself. Levels take turns in
// one memory, which is made anew in every pass where their experts or gates are layers of different
// types. Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
#pragma once
#include <algorithm>
#include <array>
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
  // Levels go in groups of `together`: all of them, or so many as are recomputed at a time.
  struct Workspace {
    std::vector<Tensor<Scalar>> between;  // x^l below every group but the first
    std::size_t together = 0;
    ForwardOptions options;  // of the forward
    // The activations of one group, of the last one after forward. Backward puts others there.
    struct Group {
      static constexpr std::size_t none = std::size_t(-1);
      std::size_t first = none;  // its first level, once all are there
      std::vector<typename FusionLevel<Scalar>::Workspace> levels;
      std::vector<Tensor<Scalar>> states;  // x^l [B, units of level l, H_l] between its levels
    };
    mutable Group group;
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
    PLAIT_ASSERT(workspace.together == levels_.size());
    for (std::size_t l = 0; l < levels_.size(); ++l)
      levels_[l].watch(theta, workspace.group.levels[l], scratch, static_cast<Index>(l), show);
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
    if (workspace == nullptr)
      return run(0, levels_.size(), theta, x, x, y, nullptr, scratch, options);
    const Scratch::Frame frame(scratch);
    const std::size_t together =
        options.recompute_levels > 0
            ? (std::min)(static_cast<std::size_t>(options.recompute_levels), levels_.size())
            : levels_.size();
    workspace->together = together;
    workspace->options = options;
    workspace->between.resize((levels_.size() - 1) / together);
    View3<const Scalar> state = x;
    std::size_t first = 0;
    for (auto& between : workspace->between) {
      const Shape shape = levels_[first + together - 1].out_shape();
      between.resize(x.batch(), shape.slots, shape.dim);
      run(first, first + together, theta, state, x, between.slot_major(), nullptr, scratch,
          options);
      state = between.slot_major();
      first += together;
    }
    run(first, levels_.size(), theta, state, x, y, &workspace->group, scratch, options);
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
    TwoStates passing(scratch, largest_state(0, levels_.size(), x.batch()));
    View3<const Scalar> dstate = dy;
    auto& group = workspace.group;
    for (std::size_t l = levels_.size(); l-- > 0;) {
      const std::size_t first = l / workspace.together * workspace.together;
      const View3<const Scalar> from =
          first == 0 ? x : workspace.between[first / workspace.together - 1].slot_major();
      if (group.first != first) recompute(first, workspace, theta, from, x, scratch);
      const View3<const Scalar> state =
          l == first ? from : group.states[l - first - 1].slot_major();
      const View3<Scalar> below = l == 0 ? dx : passing.next(x.batch(), state.shape());
      levels_[l].backward(theta, state, x, dstate, below, dinput, group.levels[l - first], grad,
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
  using Group = typename Workspace::Group;

  // Room for states of which one is read while the next is written.
  class TwoStates {
   public:
    TwoStates(Scratch& scratch, Index numbers)
        : rooms_{scratch.take<Scalar>(1, 1, numbers).data(),
                 scratch.take<Scalar>(1, 1, numbers).data()} {}
    View3<Scalar> next(Index batch, Shape shape) {
      std::swap(rooms_[0], rooms_[1]);
      return {rooms_[0], batch,     shape.slots,
              shape.dim, shape.dim, slot_major_stride<Scalar>(batch, shape.dim)};
    }

   private:
    std::array<Scalar*, 2> rooms_;
  };
  // The numbers of the largest state between levels first ... end - 1.
  Index largest_state(std::size_t first, std::size_t end, Index batch) const {
    Index numbers = 0;
    for (std::size_t l = first; l + 1 < end; ++l) {
      const Shape shape = levels_[l].out_shape();
      numbers = (std::max)(numbers, shape.slots * slot_major_stride<Scalar>(batch, shape.dim));
    }
    return numbers;
  }

  static ForwardOptions options_of(std::size_t l, const ForwardOptions& options) {
    const auto level = static_cast<Index>(l);
    ForwardOptions result = options.inside(level);
    result.expert_dropout = options.expert_dropout;
    result.expert_dropout.level = level;
    return result;
  }

  // Levels first ... end - 1 from their state x to y, of the model's input; kept in a group, or
  // not.
  void run(std::size_t first, std::size_t end, ParamView<Scalar> theta, View3<const Scalar> x,
           View3<const Scalar> input, View3<Scalar> y, Group* group, Scratch& scratch,
           const ForwardOptions& options) const {
    const Scratch::Frame frame(scratch);
    if (group != nullptr) {
      group->first = Group::none;
      at_least(group->levels, end - first);
      at_least(group->states, end - first - 1);
    }
    TwoStates passing(scratch, group == nullptr ? largest_state(first, end, x.batch()) : 0);
    View3<const Scalar> state = x;
    for (std::size_t l = first; l < end; ++l) {
      const Shape shape = levels_[l].out_shape();
      View3<Scalar> next = y;
      if (l + 1 < end && group == nullptr) {
        next = passing.next(x.batch(), shape);
      } else if (l + 1 < end) {
        group->states[l - first].resize(x.batch(), shape.slots, shape.dim);
        next = group->states[l - first].slot_major();
      }
      levels_[l].forward(theta, state, input, next, part(group, &Group::levels, l - first), scratch,
                         options_of(l, options));
      state = next;
    }
    if (group != nullptr) group->first = first;
  }
  void recompute(std::size_t first, const Workspace& workspace, ParamView<Scalar> theta,
                 View3<const Scalar> x, View3<const Scalar> input, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const std::size_t end = (std::min)(first + workspace.together, levels_.size());
    const Shape shape = levels_[end - 1].out_shape();
    const auto y = scratch.take_slot_major<Scalar>(x.batch(), shape.slots, shape.dim);
    run(first, end, theta, x, input, y, &workspace.group, scratch, workspace.options);
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
