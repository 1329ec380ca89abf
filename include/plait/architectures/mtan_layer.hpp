// MTANLayer: what computes MTAN (architectures/mtan.hpp has the equations). A layer of its own
// rather than a route, because masks multiply and what they read is joined.
//
// Backward, of level l, where da_{t,L} = dy_t and else what F_l makes of dq_{t,l}:
//   dp_l += Σ_t da_{t,l} ⊙ μ_{t,l},   dμ_{t,l} = da_{t,l} ⊙ p_l,   [du_l ; dq_{t,l-1}] += d[u ; q]
#pragma once
#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "plait/architectures/mtan.hpp"
#include "plait/core/network.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/watch.hpp"
#include "plait/core/workspace.hpp"
#include "plait/fusion/bank.hpp"
#include "plait/fusion/units.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/sequential.hpp"

namespace plait {

template <class Scalar_>
class MTANLayer {
 public:
  using Scalar = Scalar_;
  struct Level {
    // u, p [B, 1, H_l], μ [B, T, H_l]; below the last level a [B, T, H_l] and
    // [u_{l+1} ; q_l] [B, T, H_{l+1} + H_l].
    Tensor<Scalar> u, p, mask, attended, joined;
    typename Network<Scalar>::Workspace u_call, p_call, mask_call;
    std::vector<typename Network<Scalar>::Workspace> q_calls;  // F is called once per task
  };
  using Workspace = std::vector<Level>;

  // Throws ConfigError for sizes below 1.
  PLAIT_COLD MTANLayer(ParamTable& table, const std::string& prefix, const MTAN& config)
      : tasks_(config.num_tasks) {
    check_trunk(table, "MTAN", config.input_dim, tasks_, config.levels.size());
    Index below = config.input_dim;
    for (std::size_t l = 0; l < config.levels.size(); ++l) {
      const Index width = config.levels[l];
      const Body relu({width}), sigmoid({width}, Activation::sigmoid);
      const auto of_level = [&](const char* part) { return join_name(prefix, text(part, l)); };
      const auto of_tasks = [&](const char* part, Shape in, const Body& body) {
        std::vector<ExpertRoute> routes;
        for (Index t = 0; t < tasks_; ++t)
          routes.push_back({of_level(part) + text(".", t), in.slots > 1 ? t : 0});
        return ExpertBank<Scalar>(table, routes, in, body);
      };
      const Index before = table.buffer_size();
      u_.push_back(relu.build<Scalar>(table, of_level("u."), below));
      p_.push_back(relu.build<Scalar>(table, of_level("p."), width));
      if (l + 1 < config.levels.size())
        q_.push_back(relu.build<Scalar>(table, of_level("q."), width));
      shared_.push_back(table.range_from(before));
      const Shape joined = l > 0 ? Shape{tasks_, width + below} : Shape{1, width};
      ExpertBank<Scalar> hidden = of_tasks("mask_hidden.", joined, relu);
      masks_.push_back(Sequential<Scalar>({hidden, of_tasks("mask.", {tasks_, width}, sigmoid)}));
      below = width;
    }
  }

  Shape in_shape() const { return u_.front().in_shape(); }
  Shape out_shape() const { return masks_.back().out_shape(); }
  // The first level's u alone reads x.
  bool visit_input_linears(VisitLinear visit) const {
    return u_.front().visit_input_linears(visit);
  }

  // As core/watch.hpp has it: what a level shows as its experts are the tasks' masks, which no unit
  // weighs.
  PLAIT_COLD std::vector<WatchedLevel> watched() const {
    return std::vector<WatchedLevel>(u_.size(), {.experts = tasks_});
  }
  void watch(ParamView<Scalar>, const Workspace& workspace, Scratch&,
             ShowLevel<Scalar> show) const {
    for (std::size_t l = 0; l < u_.size(); ++l)
      show(static_cast<Index>(l), workspace[l].mask.slot_major(), {}, {});
  }

  // As core/reach.hpp has it: a task reaches its own masks and all that is shared.
  bool reach(Flags live, std::span<bool> live_in, MarkRange mark, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const bool any = std::ranges::any_of(live, std::identity());
    for (std::size_t l = 0; l < u_.size(); ++l) {
      masks_[l].reach(live, take_flags(scratch, masks_[l].in_shape().slots), mark, scratch);
      if (any) mark(shared_[l]);
    }
    live_in[0] = any;
    return true;
  }

  // x [B, 1, D], y [B, T, H_L].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    if (workspace != nullptr) workspace->resize(u_.size());
    View3<const Scalar> below = x;  // p_{l-1}
    View3<Scalar> joined;           // [u_l ; q_{l-1}], of which q is there
    for (std::size_t l = 0; l < u_.size(); ++l) {
      Level* const kept = workspace == nullptr ? nullptr : &(*workspace)[l];
      const auto take = [&](Tensor<Scalar> Level::*member, Index slots, Index dim) {
        return keep_slot_major(part(kept, member), scratch, x.batch(), slots, dim);
      };
      const Index width = width_of(l);
      const auto u = take(&Level::u, 1, width), p = take(&Level::p, 1, width);
      const auto mask = take(&Level::mask, tasks_, width);
      u_[l].forward(theta, below, u, part(kept, &Level::u_call), scratch);
      p_[l].forward(theta, u, p, part(kept, &Level::p_call), scratch);
      if (l > 0) kernels::copy(u.broadcast(tasks_), joined.columns(0, width));
      masks_[l].forward(theta, l > 0 ? joined : u, mask, part(kept, &Level::mask_call), scratch);
      const bool last = l + 1 == u_.size();
      const View3<Scalar> a = last ? y : take(&Level::attended, tasks_, width);
      kernels::multiply<Scalar>(mask, p.broadcast(tasks_), a);
      if (last) return;
      joined = take(&Level::joined, tasks_, width_of(l + 1) + width);
      if (kept != nullptr) kept->q_calls.resize(static_cast<std::size_t>(tasks_));
      for (Index t = 0; t < tasks_; ++t)
        q_[l].forward(theta, a.slot(t), q_part(joined, l).slot(t),
                      part(kept, &Level::q_calls, static_cast<std::size_t>(t)), scratch);
      below = p;
    }
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar>,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    if (!live.empty() && std::ranges::none_of(live, std::identity())) return;
    const auto is_live = [&](Index t) { return live.empty() || live[static_cast<std::size_t>(t)]; };
    const Scratch::Frame frame(scratch);
    const auto take = [&](Shape shape) {
      return scratch.take_slot_major<Scalar>(x.batch(), shape.slots, shape.dim);
    };
    View3<Scalar> dp = take(p_.back().out_shape()), djoined_above;
    kernels::set_zero(dp);
    for (std::size_t l = u_.size(); l-- > 0;) {
      const Level& kept = workspace[l];
      const auto u = kept.u.slot_major(), p = kept.p.slot_major(), mask = kept.mask.slot_major();
      const bool last = l + 1 == u_.size();
      const auto dmask = take(masks_[l].out_shape()), djoined = take(masks_[l].in_shape());
      const auto da_above = take(p_[l].out_shape()), du = take(u_[l].out_shape());
      for (Index t = 0; t < tasks_; ++t) {
        if (!is_live(t)) continue;
        View3<const Scalar> da = da_above;
        if (last) {
          da = dy.slot(t);
        } else {
          q_[l].backward(theta, kept.attended.slot_major().slot(t),
                         q_part(kept.joined.slot_major(), l).slot(t),
                         q_part(djoined_above, l).slot(t), da_above,
                         kept.q_calls[static_cast<std::size_t>(t)], grad, scratch);
        }
        // a_t = μ_t ⊙ p
        kernels::add_product<Scalar>(da, mask.slot(t), dp);
        kernels::multiply<Scalar>(da, p, dmask.slot(t));
      }
      // μ = masks([u ; q]), and p and every mask read u
      const View3<const Scalar> joined = l > 0 ? workspace[l - 1].joined.slot_major() : u;
      masks_[l].backward(theta, joined, mask, dmask, djoined, kept.mask_call, grad, scratch, live);
      p_[l].backward(theta, u, p, dp, du, kept.p_call, grad, scratch);
      for (Index s = 0; s < djoined.slots(); ++s)
        if (l == 0 || is_live(s)) kernels::add<Scalar>(djoined.slot(s).columns(0, u.dim()), du);
      dp = l > 0 ? take(p_[l - 1].out_shape()) : dx;
      u_[l].backward(theta, l > 0 ? workspace[l - 1].p.slot_major() : x, u, du, dp, kept.u_call,
                     grad, scratch);
      djoined_above = djoined;
    }
  }

 private:
  Index width_of(std::size_t l) const { return u_[l].out_shape().dim; }
  // Of [u_{l+1} ; q_l], the second part.
  template <class T>
  View3<T> q_part(View3<T> joined, std::size_t l) const {
    return joined.columns(joined.dim() - width_of(l), width_of(l));
  }

  Index tasks_;
  std::vector<Network<Scalar>> u_, p_, q_, masks_;  // by level; the masks of all tasks
  std::vector<ParamRange> shared_;                  // u's, p's and q's, by level
};

static_assert(TellsReach<MTANLayer<float>> && Watchable<MTANLayer<float>>);

}  // namespace plait
