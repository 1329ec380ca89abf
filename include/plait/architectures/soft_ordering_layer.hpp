// SoftOrderingLayer: what computes SoftOrdering (architectures/soft_ordering.hpp has the
// equations). A layer of its own rather than a route, because a layer has many places: it is called
// T D times in a pass, and its gradients add up over tasks and depths.
#pragma once
#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/soft_ordering.hpp"
#include "plait/core/error.hpp"
#include "plait/core/network.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/watch.hpp"
#include "plait/core/workspace.hpp"
#include "plait/fusion/bank.hpp"
#include "plait/fusion/units.hpp"
#include "plait/kernels/mix.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/kernels/selections.hpp"
#include "plait/kernels/softmax.hpp"

namespace plait {

template <class Scalar_>
class SoftOrderingLayer {
 public:
  using Scalar = Scalar_;
  struct Depth {
    Tensor<Scalar> state;    // y^{k-1} [B, T, H], or one slot for all tasks
    Tensor<Scalar> outputs;  // φ(W_j y^{k-1}_t + b_j) [B, T D, H], task by task
    std::vector<typename Network<Scalar>::Workspace> calls;  // one per output
  };
  struct Workspace {
    typename ExpertBank<Scalar>::Workspace encoders;
    std::vector<Depth> depths;
  };

  // Throws ConfigError for sizes below 1.
  PLAIT_COLD SoftOrderingLayer(ParamTable& table, const std::string& prefix,
                               const SoftOrdering& config)
      : tasks_(config.num_tasks),
        encoders_(table, routes(table, prefix, config), {1, config.input_dim}, config.encoder) {
    const std::string where = "SoftOrdering";
    const Index depth = config.depth;
    require_config(depth >= 1, where, "depth", text(depth), "at least 1");
    const Body layer({width()}, config.activation);
    const Index before = table.buffer_size();
    for (Index j = 0; j < depth; ++j)
      layers_.push_back(layer.build<Scalar>(table, join_name(prefix, text("layers.", j)), width()));
    layer_params_ = table.range_from(before);
    std::vector<std::vector<Index>> selected;
    for (Index t = 0; t < tasks_; ++t) {
      orders_.push_back(
          table.add_matrix(join_name(prefix, text("orders.", t)), depth, depth, Init::constant(0)));
      const Index calls = orders_.back().size();
      table.spend_routes(calls, where);
      table.spend_activations(calls, width(), where);
      // Each of a layer's numbers is used T D times for a row. A product's terms, which are in the
      // cache, cost an eighth of a sum's.
      table.spend_terms(calls, (width() * width() + 7) / 8, where);
      std::vector<Index>& of_task = selected.emplace_back();
      for (Index j = 0; j < depth; ++j) of_task.push_back(t * depth + j);
    }
    selections_ = Selections(selected, tasks_ * depth);
  }

  Shape in_shape() const { return encoders_.in_shape(); }
  Shape out_shape() const { return {tasks_, width()}; }
  bool draws() const { return encoders_.draws(); }
  bool visit_input_linears(VisitLinear visit) const { return encoders_.visit_input_linears(visit); }

  // As core/watch.hpp has it: a level per depth, whose experts are what the layers make of every
  // task's state, and the orders its static weights.
  PLAIT_COLD std::vector<WatchedLevel> watched() const {
    WatchedLevel level{.experts = selections_.experts()};
    for (Index t = 0; t < tasks_; ++t) {
      std::vector<Index>& selection = level.selections.emplace_back();
      for (Index j = 0; j < depth(); ++j) selection.push_back(t * depth() + j);
      level.gated.push_back(false);
    }
    return std::vector<WatchedLevel>(layers_.size(), level);
  }
  void watch(ParamView<Scalar> theta, const Workspace& workspace, Scratch& scratch,
             ShowLevel<Scalar> show) const {
    for (Index k = 0; k < depth(); ++k) {
      const Scratch::Frame frame(scratch);
      show(k, workspace.depths[static_cast<std::size_t>(k)].outputs.slot_major(), {},
           shares(theta, k, scratch));
    }
  }

  // As core/reach.hpp has it: a task reaches all layers, its own orders and its encoder.
  bool reach(Flags live, std::span<bool> live_in, MarkRange mark, Scratch& scratch) const {
    if (std::ranges::none_of(live, std::identity())) return true;
    const Scratch::Frame frame(scratch);
    mark(layer_params_);
    for (std::size_t t = 0; t < orders_.size(); ++t)
      if (live[t]) mark(ParamRange{orders_[t].offset, orders_[t].size()});
    return encoders_.reach(encoders_of(live), live_in, mark, scratch);
  }

  // x [B, 1, D_in], y [B, T, H].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    const Scratch::Frame frame(scratch);
    if (workspace != nullptr) workspace->depths.resize(layers_.size());
    const auto kept = [&](Index k) {
      return workspace == nullptr ? nullptr : &workspace->depths[static_cast<std::size_t>(k)];
    };
    const auto state_of = [&](Index k, Index slots) {
      return keep_slot_major(part(kept(k), &Depth::state), scratch, x.batch(), slots, width());
    };
    View3<Scalar> state = state_of(0, encoders_.size());
    encoders_.forward(theta, x, state, part(workspace, &Workspace::encoders), scratch, options);
    for (Index k = 0; k < depth(); ++k) {
      const View3<Scalar> next = k + 1 < depth() ? state_of(k + 1, tasks_) : y;
      const Scratch::Frame depth_frame(scratch);
      const auto outputs = keep_slot_major(part(kept(k), &Depth::outputs), scratch, x.batch(),
                                           selections_.experts(), width());
      if (workspace != nullptr)
        kept(k)->calls.resize(static_cast<std::size_t>(selections_.experts()));
      for (Index e = 0; e < selections_.experts(); ++e)
        layers_[static_cast<std::size_t>(e % depth())].forward(
            theta, state.slot(slot_of(e / depth(), state)), outputs.slot(e),
            part(kept(k), &Depth::calls, static_cast<std::size_t>(e)), scratch);
      kernels::mix<Scalar>(outputs, selections_, of_all(x.batch(), shares(theta, k, scratch)),
                           next);
      state = next;
    }
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar>,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    if (!live.empty() && std::ranges::none_of(live, std::identity())) return;
    const Scratch::Frame frame(scratch);
    View3<const Scalar> upstream = dy;
    for (Index k = depth(); k-- > 0;) {
      const Depth& kept = workspace.depths[static_cast<std::size_t>(k)];
      const auto dstate = scratch.take_slot_major<Scalar>(x.batch(), kept.state.slots(), width());
      const std::span<bool> written = take_flags(scratch, dstate.slots());
      const auto s = shares(theta, k, scratch);
      for (Index t = 0; t < tasks_; ++t)
        if (live.empty() || live[static_cast<std::size_t>(t)])
          task_backward(theta, k, t, kept, s, upstream, dstate, written, grad, scratch);
      upstream = dstate;
    }
    encoders_.backward(theta, x, workspace.depths.front().state.slot_major(), upstream, dx,
                       workspace.encoders, grad, scratch, encoders_of(live));
  }

 private:
  PLAIT_COLD static std::vector<ExpertRoute> routes(const ParamTable& table,
                                                    const std::string& prefix,
                                                    const SoftOrdering& config) {
    check_trunk(table, "SoftOrdering", config.input_dim, config.num_tasks, 1);
    if (!config.task_encoders) return {{join_name(prefix, "encoder")}};
    std::vector<ExpertRoute> result;
    for (Index t = 0; t < config.num_tasks; ++t)
      result.push_back({join_name(prefix, text("encoders.", t))});
    return result;
  }
  Index depth() const { return std::ssize(layers_); }
  Index width() const { return encoders_.out_shape().dim; }

  // Where a state has task t.
  static Index slot_of(Index t, View3<const Scalar> state) { return state.slots() > 1 ? t : 0; }
  // Encoders of live tasks; one for all is live.
  Flags encoders_of(Flags live) const {
    static constexpr bool all = true;
    return encoders_.size() > 1 ? live : Flags(&all, 1);
  }

  // s of all tasks at one depth, side by side [1, 1, T D].
  View3<const Scalar> shares(ParamView<Scalar> theta, Index k, Scratch& scratch) const {
    const auto rows = scratch.take<Scalar>(1, tasks_, depth());
    for (Index t = 0; t < tasks_; ++t)
      std::copy_n(theta.data(orders_[static_cast<std::size_t>(t)]) + k * depth(), depth(),
                  rows.row(0, t));
    kernels::softmax(1, rows);
    return {rows.data(), 1, 1, selections_.columns()};
  }
  // One row as that of every sample.
  static View3<const Scalar> of_all(Index batch, View3<const Scalar> row) {
    return {row.data(), batch, 1, row.dim(), 0, 0};
  }

  // Reverses y_t = Σ_j s_j φ(W_j state_t + b_j) at one depth. Adds to dstate where it is `written`.
  void task_backward(ParamView<Scalar> theta, Index k, Index t, const Depth& kept,
                     View3<const Scalar> s, View3<const Scalar> dy, View3<Scalar> dstate,
                     std::span<bool> written, GradView<Scalar> grad, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const bool relu = layers_.front().ends_in_relu();
    const Index first = t * depth(), batch = dy.batch();
    const auto outputs = kept.outputs.slot_major().slot_range(first, depth());
    const auto doutputs = scratch.take_slot_major<Scalar>(batch, depth(), width());
    const auto dshares = scratch.take<Scalar>(batch, 1, selections_.columns());
    kernels::mix_backward<Scalar>(outputs, selections_, first, of_all(batch, s), dy, doutputs,
                                  dshares, relu);

    const auto ds = scratch.take<Scalar>(1, 1, depth()),
               dorder = scratch.take<Scalar>(1, 1, depth());
    kernels::set_zero(ds);
    kernels::add_batch_sums<Scalar>(dshares.columns(first, depth()), ds.data());
    kernels::softmax_backward<Scalar>(1, s.columns(first, depth()), ds, dorder);
    kernels::add(depth(), dorder.data(),
                 grad.add_to(orders_[static_cast<std::size_t>(t)]).data + k * depth());

    const auto state = kept.state.slot_major();
    const Index slot = slot_of(t, state);
    for (Index j = 0; j < depth(); ++j)
      layers_[static_cast<std::size_t>(j)].backward(
          theta, state.slot(slot), outputs.slot(j), doutputs.slot(j), dstate.slot(slot),
          kept.calls[static_cast<std::size_t>(first + j)], grad, scratch,
          {.adds_to_dx = std::exchange(written[static_cast<std::size_t>(slot)], true),
           .passed_last_relu = relu});
  }

  Index tasks_;
  ExpertBank<Scalar> encoders_;
  std::vector<Network<Scalar>> layers_;
  ParamRange layer_params_;
  std::vector<ParamId> orders_;  // by task
  Selections selections_;        // of every task, its own D outputs
};

static_assert(TellsReach<SoftOrderingLayer<float>> && Watchable<SoftOrderingLayer<float>>);

}  // namespace plait
