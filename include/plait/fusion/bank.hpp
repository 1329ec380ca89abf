// ExpertBank: E experts side by side, each reading one slot of the input.
//
//   y[:, e] = expert_e(x[:, slot(e)])        x [B, S, D], y [B, E, H]
//
// The slot that an expert reads is part of what tells architectures apart: all read slot 0 (MMoE),
// each its own (cross-stitch), or its owner's (PLE, AdaTT).
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/network.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/workspace.hpp"
#include "plait/fusion/route.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/body.hpp"

namespace plait {

template <class Scalar_>
class ExpertBank {
 public:
  using Scalar = Scalar_;
  struct Workspace {
    std::vector<typename Network<Scalar>::Workspace> experts;  // one per expert
  };

  // Experts are of one description, but for routes with their own, and draw their own numbers.
  // Throws ConfigError when there are none, when they are not equally wide, and for more
  // activations than the table has room for.
  PLAIT_COLD ExpertBank(ParamTable& table, const std::vector<ExpertRoute>& routes, Shape in,
                        const Body& expert)
      : in_(in) {
    require_config(!routes.empty(), "ExpertBank", "experts", "0 experts", "at least one");
    experts_.reserve(routes.size());
    for (const auto& route : routes) {
      require_config(0 <= route.slot && route.slot < in.slots, "ExpertBank", route.name,
                     text("slot ", route.slot), text("one of ", in.slots));
      const Index before = table.buffer_size();
      const Body& description = route.own ? *route.own : expert;
      Network<Scalar> network = description.build<Scalar>(table, route.name, in.dim);
      const Index width = network.out_shape().dim;
      if (!experts_.empty() && width != out_shape().dim)
        throw ConfigError("ExpertBank", route.name, text("a width of ", width),
                          text(out_shape().dim, ", as the others"));
      table.spend_activations(1, network.out_shape().dim, "ExpertBank");
      experts_.push_back({std::move(network), route.slot, table.range_from(before)});
    }
  }

  Shape in_shape() const { return in_; }
  Shape out_shape() const { return {size(), experts_.front().network.out_shape().dim}; }
  Index size() const { return std::ssize(experts_); }
  bool draws() const {
    return std::ranges::any_of(experts_, [](const Expert& e) { return e.network.draws(); });
  }
  // Of every expert.
  bool ends_in_relu() const {
    return std::ranges::all_of(experts_, [](const Expert& e) { return e.network.ends_in_relu(); });
  }

  bool visit_input_linears(VisitLinear visit) const {
    return std::ranges::all_of(
        experts_, [&](const Expert& e) { return e.network.visit_input_linears(visit); });
  }

  // As core/reach.hpp has it; `live` experts.
  bool reach(Flags live, std::span<bool> live_in, MarkRange mark, Scratch&) const {
    for (std::size_t e = 0; e < experts_.size(); ++e) {
      if (!live[e]) continue;
      mark(experts_[e].params);
      live_in[static_cast<std::size_t>(experts_[e].slot)] = true;
    }
    return true;
  }

  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    if (workspace != nullptr) at_least(workspace->experts, experts_.size());
    ForwardOptions own = options.inside(0);
    for (std::size_t e = 0; e < experts_.size(); ++e) {
      if (options.draws) own = options.inside(static_cast<Index>(e));
      experts_[e].network.forward(theta, x.slot(experts_[e].slot), y.slot(static_cast<Index>(e)),
                                  part(workspace, &Workspace::experts, e), scratch, own);
    }
  }

  // Expert e of the rows alone for which needs(b), y[:, e] [B, 1, H]; 0 in the others. With
  // `of_all` it is computed for all rows, which takes the most of scratch, to the same y.
  template <class Needs>
  void forward_some(Index e, const Needs& needs, bool of_all, ParamView<Scalar> theta,
                    View3<const Scalar> x, View3<Scalar> y, Scratch& scratch,
                    const ForwardOptions& options) const {
    const Scratch::Frame frame(scratch);
    const auto& [network, slot, params] = experts_[static_cast<std::size_t>(e)];
    const View3<const Scalar> from = x.slot(slot);
    const View3<Scalar> to = y.slot(e);
    const auto rows = scratch.take<Scalar>(x.batch(), 1, from.dim());
    const auto some = scratch.take<Scalar>(x.batch(), 1, to.dim());
    Index count = 0;
    for (Index b = 0; b < x.batch(); ++b)
      if (of_all || needs(b)) std::copy_n(from.row(b), from.dim(), rows.row(count++));
    network.forward(theta, rows.rows(0, count), some.rows(0, count), nullptr, scratch,
                    options.inside(e));
    count = 0;
    for (Index b = 0; b < x.batch(); ++b) {
      const bool needed = needs(b);
      if (needed)
        std::copy_n(some.row(count), to.dim(), to.row(b));
      else
        std::fill_n(to.row(b), to.dim(), Scalar(0));
      count += of_all || needed ? 1 : 0;
    }
  }

  // x and dx [B, S, D], y and dy [B, E, H].
  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    const Scratch::Frame frame(scratch);
    const std::span<bool> written = take_flags(scratch, in_.slots);
    for (Index e = 0; e < size(); ++e)
      if (live.empty() || live[static_cast<std::size_t>(e)])
        backward_one(e, theta, x, y, dy.slot(e), dx, workspace, grad, scratch, written);
    if (live.empty()) clear_unwritten(written, dx);
  }
  // Of expert e alone, dy [B, 1, H]: a gradient may go from its maker to its reader in cache. dx is
  // overwritten in a slot that is not `written` [in.slots] and then is, and added to in others.
  // passed_last_relu as in BackwardOptions.
  void backward_one(Index e, ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                    View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                    GradView<Scalar> grad, Scratch& scratch, std::span<bool> written,
                    bool passed_last_relu = false) const {
    const auto& [network, slot, params] = experts_[static_cast<std::size_t>(e)];
    const bool adds = std::exchange(written[static_cast<std::size_t>(slot)], true);
    network.backward(theta, x.slot(slot), y.slot(e), dy, dx ? dx.slot(slot) : View3<Scalar>(),
                     workspace.experts[static_cast<std::size_t>(e)], grad, scratch,
                     {.adds_to_dx = adds, .passed_last_relu = passed_last_relu});
  }

  // Slots that nobody read have a gradient of zero.
  static void clear_unwritten(Flags written, View3<Scalar> dx) {
    for (Index s = 0; s < dx.slots(); ++s)
      if (!written[static_cast<std::size_t>(s)]) kernels::set_zero(dx.slot(s));
  }

 private:
  struct Expert {
    Network<Scalar> network;
    Index slot;  // that it reads
    ParamRange params;
  };

  Shape in_;
  std::vector<Expert> experts_;
};

static_assert(TellsReach<ExpertBank<float>> && TakesForwardOptions<ExpertBank<float>>);

}  // namespace plait
