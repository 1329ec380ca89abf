// AdaShareLayer: what computes AdaShare (architectures/ada_share.hpp has the equations). A layer of
// its own rather than a route, because a block has many places: each task may have come to it by
// other blocks.
//
// Tasks that have executed the same blocks have one state, kept in the slot of the first of them,
// its leader: all at the first block, and later as long as their decisions are alike and not
// learned from (a decision that is, is the task's own).
//
// Backward, d the gradient of x^l_t: du_0 = Σ_b ⟨d, F_l⟩, du_1 = Σ_b ⟨d, x^{l-1}_t⟩, u_0 d goes
// through the block, u_1 d past it; both are summed over the batch in the scalar, tile by tile.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/ada_share.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/core/drawn_routes.hpp"
#include "plait/core/error.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/watch.hpp"
#include "plait/core/workspace.hpp"
#include "plait/fusion/bank.hpp"
#include "plait/fusion/units.hpp"
#include "plait/kernels/mix.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/kernels/selections.hpp"
#include "plait/layers/residual_block.hpp"

namespace plait {

template <class Scalar_>
class AdaShareLayer {
 public:
  using Scalar = Scalar_;
  struct Block {
    Tensor<Scalar> state;    // x^{l-1} [B, T, H] by leader, or one slot for all tasks
    Tensor<Scalar> outputs;  // F_l(x^{l-1}), likewise
    Tensor<Scalar> hidden;   // what F_l keeps, likewise
  };
  struct Workspace {
    typename ExpertBank<Scalar>::Workspace stem;
    Tensor<Scalar> u, kept;  // [L, T, 2], [L, T, 3]
    std::vector<Block> blocks;
  };

  // Throws ConfigError for sizes below 1 and a policy out of range.
  PLAIT_COLD AdaShareLayer(ParamTable& table, const std::string& prefix, const AdaShare& config)
      : tasks_(config.num_tasks),
        policy_(config.policy),
        stem_(table, routes(table, prefix, config), {1, config.input_dim}, config.stem) {
    const std::string where = "AdaShare";
    policy_.validate(where);
    require_config(!config.blocks.empty(), where, "blocks", "0 blocks", "at least one");
    const Index before = table.buffer_size();
    for (const Index hidden : config.blocks) {
      const std::string name = join_name(prefix, text("blocks.", blocks_.size()));
      blocks_.emplace_back(table, name, width(), hidden);
      table.spend_routes(tasks_, where);
      table.spend_activations(tasks_, width(), where);
      table.spend_activations(tasks_, width(), where);
      table.spend_activations(tasks_, hidden, where);
      // Each of a block's numbers is used by T tasks. A product's terms, which are in the cache,
      // cost an eighth of a sum's.
      table.spend_terms(tasks_, (2 * width() * hidden + 7) / 8, where);
    }
    block_params_ = table.range_from(before);
    for (Index t = 0; t < tasks_; ++t)
      policies_.push_back(
          table.add_matrix(join_name(prefix, text("policies.", t)), depth(), 2, Init::constant(0)));
  }

  Shape in_shape() const { return stem_.in_shape(); }
  Shape out_shape() const { return {tasks_, width()}; }
  bool draws() const { return true; }
  bool visit_input_linears(VisitLinear visit) const { return stem_.visit_input_linears(visit); }

  // As core/watch.hpp has it: a level per block, whose experts are F_l and x^{l-1} of every task,
  // and u the static weights. F_l shows zeros where it is skipped.
  PLAIT_COLD std::vector<WatchedLevel> watched() const {
    WatchedLevel level{.experts = 2 * tasks_};
    for (Index t = 0; t < tasks_; ++t) level.selections.push_back({2 * t, 2 * t + 1});
    level.gated.resize(static_cast<std::size_t>(tasks_));
    return std::vector<WatchedLevel>(blocks_.size(), level);
  }
  void watch(ParamView<Scalar>, const Workspace& workspace, Scratch& scratch,
             ShowLevel<Scalar> show) const {
    const Scratch::Frame frame(scratch);
    const View3<const Scalar> u = workspace.u.view(), kept = workspace.kept.view();
    const View3<Index> leaders = find_leaders(u, kept, scratch);
    for (Index l = 0; l < depth(); ++l) {
      const Block& block = workspace.blocks[static_cast<std::size_t>(l)];
      const View3<const Scalar> state = block.state.slot_major();
      const View3<const Scalar> outputs = block.outputs.slot_major();
      const Scratch::Frame level_frame(scratch);
      const auto experts = scratch.take_slot_major<Scalar>(state.batch(), 2 * tasks_, width());
      kernels::set_zero(experts);
      for (Index t = 0; t < tasks_; ++t) {
        const Index leader = leaders.row(l)[t];
        if (u.row(l, t)[0] != 0) kernels::copy(outputs.slot(leader), experts.slot(2 * t));
        kernels::copy(state.slot(leader), experts.slot(2 * t + 1));
      }
      show(l, experts, {}, {u.row(l), 1, 1, 2 * tasks_});
    }
  }

  // As core/drawn_routes.hpp has it.
  PLAIT_COLD DrawnRoutes drawn_routes(ParamView<Scalar> theta) const {
    DrawnRoutes result;
    result.blocks.resize(tasks_, depth());
    for (Index t = 0; t < tasks_; ++t)
      for (Index l = 0; l < depth(); ++l)
        result.blocks(t, l) = SkipPolicy::executed_probability(
            theta.data(policies_[static_cast<std::size_t>(t)]) + 2 * l);
    return result;
  }

  // As core/reach.hpp has it: a task reaches its own policy and all blocks, whatever is drawn.
  bool reach(Flags live, std::span<bool> live_in, MarkRange mark, Scratch& scratch) const {
    if (std::ranges::none_of(live, std::identity())) return true;
    mark(block_params_);
    for (std::size_t t = 0; t < policies_.size(); ++t)
      if (live[t]) mark(ParamRange{policies_[t].offset, policies_[t].size()});
    return stem_.reach(all_, live_in, mark, scratch);
  }

  // x [B, 1, D], y [B, T, H].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    const Scratch::Frame frame(scratch);
    if (workspace != nullptr) workspace->blocks.resize(blocks_.size());
    const auto kept_of = [&](Index l) {
      return workspace == nullptr ? nullptr : &workspace->blocks[static_cast<std::size_t>(l)];
    };
    const auto take = [&](Index l, Tensor<Scalar> Block::*member, Index dim) {
      return keep_slot_major(part(kept_of(l), member), scratch, x.batch(), slots(l), dim);
    };
    const auto u = keep(part(workspace, &Workspace::u), scratch, depth(), tasks_, 2);
    const auto kept =
        keep(part(workspace, &Workspace::kept), scratch, depth(), tasks_, SkipPolicy::kept_size);
    decide(theta, options.draws, u, kept);
    const View3<Index> leaders = find_leaders(u, kept, scratch);
    View3<Scalar> state = take(0, &Block::state, width());
    stem_.forward(theta, x, state, part(workspace, &Workspace::stem), scratch, options);
    for (Index l = 0; l < depth(); ++l) {
      const ResidualBlock<Scalar>& block = blocks_[static_cast<std::size_t>(l)];
      const View3<Scalar> next = l + 1 < depth() ? take(l + 1, &Block::state, width()) : y;
      const Scratch::Frame block_frame(scratch);
      const View3<Scalar> outputs = take(l, &Block::outputs, width());
      const View3<Scalar> hidden = take(l, &Block::hidden, block.hidden_dim());
      const std::span<bool> executed = take_flags(scratch, slots(l));
      for (Index t = 0; t < tasks_; ++t) {
        if (leaders.row(l + 1)[t] != t) continue;
        const Index leader = leaders.row(l)[t];
        const Scalar* const how = u.row(l, t);
        const bool learns = workspace != nullptr && SkipPolicy::learns(kept.row(l, t));
        if ((how[0] != 0 || learns) &&
            !std::exchange(executed[static_cast<std::size_t>(leader)], true))
          block.apply(theta, state.slot(leader), hidden.slot(leader), outputs.slot(leader));
        combine(how, outputs.slot(leader), state.slot(leader), next.slot(t));
      }
      state = next;
    }
    for (Index t = 0; t < tasks_; ++t)
      if (const Index leader = leaders.row(depth())[t]; leader != t)
        kernels::copy<Scalar>(y.slot(leader), y.slot(t));
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar>,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    if (!live.empty() && std::ranges::none_of(live, std::identity())) return;
    const Scratch::Frame frame(scratch);
    const View3<const Scalar> u = workspace.u.view(), kept = workspace.kept.view();
    const View3<Index> leaders = find_leaders(u, kept, scratch);
    const auto room = [&] { return scratch.take_slot_major<Scalar>(x.batch(), tasks_, width()); };
    const View3<Scalar> doutputs = room(), share = scratch.take<Scalar>(x.batch(), 1, width()),
                        du_rows = scratch.take<Scalar>(x.batch(), 1, 1);
    View3<Scalar> dnext = room(), dstate = room();
    std::span<bool> has_next = take_flags(scratch, tasks_), has = take_flags(scratch, tasks_);
    const std::span<bool> executed = take_flags(scratch, tasks_);
    for (Index t = 0; t < tasks_; ++t)
      if (live.empty() || live[static_cast<std::size_t>(t)])
        kernels::add<Scalar>(dy.slot(t), started(dnext, has_next, leaders.row(depth())[t]));
    for (Index l = depth(); l-- > 0;) {
      const Block& block = workspace.blocks[static_cast<std::size_t>(l)];
      const View3<const Scalar> state = block.state.slot_major();
      const View3<const Scalar> outputs = block.outputs.slot_major();
      std::ranges::fill(has, false);
      std::ranges::fill(executed, false);
      for (Index t = 0; t < tasks_; ++t) {
        if (!has_next[static_cast<std::size_t>(t)]) continue;  // another leads, or none is live
        const Index leader = leaders.row(l)[t];
        const Scalar* const how = u.row(l, t);
        const View3<const Scalar> d = dnext.slot(t);
        const View3<Scalar> past = started(dstate, has, leader);
        if (how[0] != 0)
          kernels::add_scaled<Scalar>(how[0], d, started(doutputs, executed, leader));
        if (how[1] != 0) kernels::add_scaled<Scalar>(how[1], d, past);
        if (!SkipPolicy::learns(kept.row(l, t))) continue;
        const std::array<Scalar, 2> du{product(d, outputs.slot(leader), share, du_rows),
                                       product(d, state.slot(leader), share, du_rows)};
        SkipPolicy::backward(kept.row(l, t), du.data(),
                             grad.add_to(policies_[static_cast<std::size_t>(t)]).data + 2 * l);
      }
      for (Index s = 0; s < slots(l); ++s)
        if (executed[static_cast<std::size_t>(s)])
          blocks_[static_cast<std::size_t>(l)].reverse(
              theta, state.slot(s), block.hidden.slot_major().slot(s), outputs.slot(s),
              doutputs.slot(s), dstate.slot(s), grad, scratch, true);
      std::swap(dnext, dstate);
      std::swap(has_next, has);
    }
    stem_.backward(theta, x, workspace.blocks.front().state.slot_major(), dnext.slot_range(0, 1),
                   dx, workspace.stem, grad, scratch, all_);
  }

 private:
  static constexpr bool yes_ = true;
  static constexpr Flags all_{&yes_, 1};  // of the stem's one expert

  PLAIT_COLD static std::vector<ExpertRoute> routes(const ParamTable& table,
                                                    const std::string& prefix,
                                                    const AdaShare& config) {
    check_trunk(table, "AdaShare", config.input_dim, config.num_tasks, 1);
    return {{join_name(prefix, "stem")}};
  }
  Index depth() const { return std::ssize(blocks_); }
  Index width() const { return stem_.out_shape().dim; }
  // States before block l: the stem makes one for all.
  Index slots(Index l) const { return l == 0 ? 1 : tasks_; }

  void decide(ParamView<Scalar> theta, const Draws& draws, View3<Scalar> u,
              View3<Scalar> kept) const {
    const CounterRandom stream = stream_of(draws);
    for (Index t = 0; t < tasks_; ++t) {
      const Scalar* const a = theta.data(policies_[static_cast<std::size_t>(t)]);
      const CounterRandom of_task = stream.at(static_cast<std::uint64_t>(t));
      for (Index l = 0; l < depth(); ++l)
        policy_.decide(l, depth(), a + 2 * l, draws, of_task.at(static_cast<std::uint64_t>(l)),
                       u.row(l, t), kept.row(l, t));
    }
  }
  // [L + 1, 1, T]: the leader of every task before each block, and after the last.
  View3<Index> find_leaders(View3<const Scalar> u, View3<const Scalar> kept,
                            Scratch& scratch) const {
    const View3<Index> leaders = scratch.take<Index>(depth() + 1, 1, tasks_);
    const Scratch::Frame frame(scratch);
    // Of those with one leader the first task that executes a block, and the first that skips it.
    const View3<Index> firsts = scratch.take<Index>(2, 1, tasks_);
    std::fill_n(leaders.row(0), tasks_, Index{0});
    for (Index l = 0; l < depth(); ++l) {
      std::fill_n(firsts.row(0), 2 * tasks_, Index{-1});
      for (Index t = 0; t < tasks_; ++t) {
        Index& leader = leaders.row(l + 1)[t];
        leader = t;
        if (SkipPolicy::learns(kept.row(l, t))) continue;
        Index& first = firsts.row(u.row(l, t)[0] != 0 ? 0 : 1)[leaders.row(l)[t]];
        if (first < 0) first = t;
        leader = first;
      }
    }
    return leaders;
  }
  // to = u_0 F + u_1 x.
  static void combine(const Scalar* how, View3<const Scalar> output, View3<const Scalar> state,
                      View3<Scalar> to) {
    if (how[0] == 1 || how[1] == 1) {
      kernels::copy<Scalar>(how[0] == 1 ? output : state, to);
      return;
    }
    kernels::set_zero(to);
    kernels::add_scaled<Scalar>(how[0], output, to);
    kernels::add_scaled<Scalar>(how[1], state, to);
  }
  // A slot to add to, 0 at first.
  static View3<Scalar> started(View3<Scalar> sums, std::span<bool> has, Index slot) {
    const View3<Scalar> sum = sums.slot(slot);
    if (!std::exchange(has[static_cast<std::size_t>(slot)], true)) kernels::set_zero(sum);
    return sum;
  }
  // Σ_b ⟨a, b⟩.
  static Scalar product(View3<const Scalar> a, View3<const Scalar> b, View3<Scalar> room,
                        View3<Scalar> rows) {
    constexpr std::array<Selections::Use, 1> one{{{0, 0}}};
    constexpr Scalar unit = 1;
    Scalar sum = 0;
    kernels::mix_backward<Scalar>(b, one, {&unit, a.batch(), 1, 1, 0, 0}, a, room, rows);
    kernels::add_batch_sums<Scalar>(rows, &sum);
    return sum;
  }

  Index tasks_;
  SkipPolicy policy_;
  ExpertBank<Scalar> stem_;
  std::vector<ResidualBlock<Scalar>> blocks_;
  ParamRange block_params_;
  std::vector<ParamId> policies_;  // by task
};

static_assert(TellsReach<AdaShareLayer<float>> && Watchable<AdaShareLayer<float>> &&
              TellsDrawnRoutes<AdaShareLayer<float>>);

}  // namespace plait
