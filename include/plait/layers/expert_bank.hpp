// ExpertBank: E experts side by side, each reading one slot of the input.
//
//   y[:, e] = expert_e(x[:, slot(e)])        x [B, S, D], y [B, E, H]
//
// The slot that an expert reads is what tells architectures apart: all read slot 0 (MMoE), each its
// own (cross-stitch), or its owner's (PLE, AdaTT).
#pragma once
#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/reach.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/backward_options.hpp"

namespace plait {

// One expert: the prefix of its parameters' names and the slot that it reads.
struct ExpertRoute {
  std::string name;
  Index slot = 0;
};

template <Body Expert>
class ExpertBank {
 public:
  using Scalar = typename Expert::Scalar;
  struct Workspace {
    std::vector<typename Expert::Workspace> experts;  // one per expert
  };

  // All experts share one configuration and draw their own numbers. Throws ConfigError when there
  // are none.
  ExpertBank(ParamTable& table, const std::vector<ExpertRoute>& routes, Shape in,
             const typename Expert::Config& config)
      : in_(in) {
    require_config(!routes.empty(), "ExpertBank", "experts", "0 experts", "at least one");
    experts_.reserve(routes.size());
    for (const auto& route : routes) {
      PLAIT_ASSERT(0 <= route.slot && route.slot < in.slots);
      const Index before = table.buffer_size();
      experts_.emplace_back(table, route.name, in.dim, config);
      params_.push_back(table.range_from(before));
      slots_.push_back(route.slot);
    }
  }

  Shape in_shape() const { return in_; }
  Shape out_shape() const { return {size(), experts_.front().out_shape().dim}; }
  Index size() const { return static_cast<Index>(experts_.size()); }

  template <class F>
  bool visit_input_linears(const F& f) const {
    return std::ranges::all_of(experts_,
                               [&](const Expert& e) { return plait::visit_input_linears(e, f); });
  }

  // Experts are built alike.
  bool ends_in_relu() const { return plait::ends_in_relu(experts_.front()); }

  void infer(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
             Scratch& scratch) const {
    for (std::size_t e = 0; e < experts_.size(); ++e)
      experts_[e].infer(theta, x.slot(slots_[e]), y.slot(static_cast<Index>(e)), scratch);
  }
  void forward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace& workspace, Scratch& scratch) const {
    workspace.experts.resize(experts_.size());
    for (std::size_t e = 0; e < experts_.size(); ++e)
      experts_[e].forward(theta, x.slot(slots_[e]), y.slot(static_cast<Index>(e)),
                          workspace.experts[e], scratch);
  }

  // As core/reach.hpp has it; `live` experts.
  template <class Mark>
  bool reach(Flags live, std::span<bool> live_in, const Mark& mark, Scratch&) const {
    for (std::size_t e = 0; e < experts_.size(); ++e) {
      if (!live[e]) continue;
      mark(params_[e]);
      live_in[static_cast<std::size_t>(slots_[e])] = true;
    }
    return true;
  }

  void backward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                ParamView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    const Scratch::Frame frame(scratch);
    const std::span<bool> written = take_flags(scratch, in_.slots);
    backward_each(
        theta, x, y, [dy](Index e) { return dy.slot(e); }, dx, workspace, grad, scratch, live,
        written);
    if (live.empty()) clear_unwritten(written, dx);
  }
  // The same with dy expert by expert: dy_of(e) gives a live expert's when it is needed, and may
  // reuse its memory afterwards, so that a gradient goes from its maker to its reader in cache. dx
  // is overwritten in slots that are not `written` [in.slots] and then are, and added to in the
  // others. passed_last_relu as in BackwardOptions.
  template <class DyOf>
  void backward_each(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                     const DyOf& dy_of, View3<Scalar> dx, const Workspace& workspace,
                     ParamView<Scalar> grad, Scratch& scratch, Flags live, std::span<bool> written,
                     bool passed_last_relu = false) const {
    for (std::size_t e = 0; e < experts_.size(); ++e) {
      if (!live.empty() && !live[e]) continue;
      const auto slot = static_cast<Index>(e);
      const View3<const Scalar> dy = dy_of(slot);
      // The first expert that reads a slot writes its gradient, the others add theirs.
      const bool adds = std::exchange(written[static_cast<std::size_t>(slots_[e])], true);
      backward_with(experts_[e], theta, x.slot(slots_[e]), y.slot(slot), dy,
                    dx ? dx.slot(slots_[e]) : View3<Scalar>(), workspace.experts[e], grad, scratch,
                    {.adds_to_dx = adds, .passed_last_relu = passed_last_relu});
    }
  }

  // Slots that nobody read have a gradient of zero.
  static void clear_unwritten(Flags written, View3<Scalar> dx) {
    for (Index s = 0; s < dx.slots(); ++s)
      if (!written[static_cast<std::size_t>(s)]) set_zero(dx.slot(s));
  }

 private:
  Shape in_;
  std::vector<Expert> experts_;
  std::vector<Index> slots_;        // by expert, as are
  std::vector<ParamRange> params_;  // its parameters
};

}  // namespace plait
