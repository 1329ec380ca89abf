// SluiceLayer: what computes Sluice (architectures/sluice.hpp has the equations). A layer of its
// own rather than a route, because a state is seen in two ways, as tasks by experts and as
// subspaces by α.
//
// Backward: dx̃^l_t = β_tl dy_t + what expert^{l+1}_t passes down,   dβ_tl = Σ_b ⟨dy_t, x̃^l_t⟩, and
// α is P5 of docs/mathematics.md.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/sluice.hpp"
#include "plait/core/error.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/watch.hpp"
#include "plait/core/workspace.hpp"
#include "plait/fusion/bank.hpp"
#include "plait/fusion/units.hpp"
#include "plait/kernels/mix.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/kernels/selections.hpp"

namespace plait {

template <class Scalar_>
class SluiceLayer {
 public:
  using Scalar = Scalar_;
  struct Level {
    typename ExpertBank<Scalar>::Workspace bank;
    Tensor<Scalar> h, mixed;  // h, x̃ [B, T, H_l], the tasks of a row side by side
  };
  using Workspace = std::vector<Level>;

  // Throws ConfigError for sizes below 1, widths that S does not divide and, with skips, widths
  // that differ.
  PLAIT_COLD SluiceLayer(ParamTable& table, const std::string& prefix, const Sluice& config)
      : subspaces_(config.subspaces) {
    const std::string where = "Sluice";
    check_trunk(table, where, config.input_dim, config.num_tasks, config.levels.size());
    const Index tasks = config.num_tasks, levels = std::ssize(config.levels);
    require_config(subspaces_ >= 1, where, "subspaces", text(subspaces_), "at least 1");
    const Index most = table.budget().routes / tasks;
    require_config(subspaces_ <= most, where, "subspaces", text(subspaces_),
                   text("at most ", most));
    const Index slots = tasks * subspaces_;
    const UnitExperts experts(table, tasks, 1, where);
    Shape state{1, config.input_dim};
    for (std::size_t l = 0; l < config.levels.size(); ++l) {
      banks_.emplace_back(table, experts.routes(prefix, l, l == 0), state, config.levels[l]);
      const Index width = banks_.back().out_shape().dim;
      require_config(width % subspaces_ == 0, where, text("width of level ", l), text(width),
                     text("a multiple of ", subspaces_, " subspaces"));
      require_config(!config.skips || l == 0 || width == state.dim, where,
                     text("width of level ", l), text(width),
                     text(state.dim, " as below it, or no skips"));
      alphas_.push_back(table.add_matrix(join_name(prefix, text("alphas.", l)), slots, slots,
                                         alpha_init(config.alphas, slots)));
      table.spend_routes(alphas_.back().size(), where);
      table.spend_terms(alphas_.back().size(), width / subspaces_, where);
      table.spend_activations(tasks, width, where);
      state = {tasks, width};
    }
    if (config.skips) {
      betas_ = table.add_matrix(join_name(prefix, "betas"), tasks, levels,
                                beta_init(config.betas, levels));
      table.spend_terms(betas_->size(), state.dim, where);
    }
    selections_ = Selections(all_of_all(slots), slots);
  }

  Shape in_shape() const { return banks_.front().in_shape(); }
  Shape out_shape() const { return banks_.back().out_shape(); }
  bool draws() const { return std::ranges::any_of(banks_, &ExpertBank<Scalar>::draws); }
  bool visit_input_linears(VisitLinear visit) const {
    return banks_.front().visit_input_linears(visit);
  }

  // As core/watch.hpp has it: a level's experts and units are its subspaces, α the static weights.
  PLAIT_COLD std::vector<WatchedLevel> watched() const {
    const Index slots = selections_.units();
    const WatchedLevel level{slots, all_of_all(slots),
                             std::vector<bool>(static_cast<std::size_t>(slots))};
    return std::vector<WatchedLevel>(banks_.size(), level);
  }
  void watch(ParamView<Scalar> theta, const Workspace& workspace, Scratch&,
             ShowLevel<Scalar> show) const {
    for (std::size_t l = 0; l < banks_.size(); ++l)
      show(static_cast<Index>(l), subspaces_of(workspace[l].h.view()), {}, alpha(theta, l, 1));
  }

  // As core/reach.hpp has it. α mixes all tasks, so that a task reaches every expert; its own are
  // its rows of the last α and of β.
  bool reach(Flags live, std::span<bool> live_in, MarkRange mark, Scratch& scratch) const {
    if (std::ranges::none_of(live, std::identity())) return true;
    const Scratch::Frame frame(scratch);
    const std::span<bool> all = take_flags(scratch, tasks());
    std::ranges::fill(all, true);
    for (std::size_t l = 0; l < banks_.size(); ++l) {
      banks_[l].reach(all, l == 0 ? live_in : take_flags(scratch, tasks()), mark, scratch);
      mark_rows(alphas_[l], subspaces_, l + 1 < banks_.size() ? Flags(all) : live, mark);
    }
    if (betas_) mark_rows(*betas_, 1, live, mark);
    return true;
  }

  // x [B, 1, D], y [B, T, H].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    const Scratch::Frame frame(scratch);
    if (workspace != nullptr) workspace->resize(banks_.size());
    if (betas_) kernels::set_zero(y);
    View3<const Scalar> state = x;
    for (std::size_t l = 0; l < banks_.size(); ++l) {
      Level* const kept = workspace == nullptr ? nullptr : &(*workspace)[l];
      const Index width = banks_[l].out_shape().dim;
      const auto h = keep(part(kept, &Level::h), scratch, x.batch(), tasks(), width);
      const auto mixed = keep(part(kept, &Level::mixed), scratch, x.batch(), tasks(), width);
      banks_[l].forward(theta, state, h, part(kept, &Level::bank), scratch,
                        options.inside(static_cast<Index>(l)));
      kernels::mix<Scalar>(subspaces_of(h), selections_, alpha(theta, l, x.batch()),
                           subspaces_of(mixed));
      for (Index t = 0; betas_ && t < tasks(); ++t)
        kernels::add_scaled<Scalar>(*beta(theta, t, l).data(), mixed.slot(t), y.slot(t));
      state = mixed;
    }
    if (!betas_) kernels::copy(state, y);
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar>,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    if (!live.empty() && std::ranges::none_of(live, std::identity())) return;
    const Scratch::Frame frame(scratch);
    const auto take = [&](Index slots, Index dim) {
      return scratch.take<Scalar>(x.batch(), slots, dim);
    };
    View3<Scalar> dmixed = take(tasks(), out_shape().dim);
    kernels::set_zero(dmixed);
    for (std::size_t l = banks_.size(); l-- > 0;) {
      const Level& kept = workspace[l];
      const bool last = l + 1 == banks_.size();
      for (Index t = 0; t < tasks(); ++t) {
        if (!live.empty() && !live[static_cast<std::size_t>(t)]) continue;
        if (betas_) {
          skip_backward(theta, t, l, kept.mixed.view().slot(t), dy.slot(t), dmixed.slot(t), grad,
                        scratch);
        } else if (last) {
          kernels::copy<Scalar>(dy.slot(t), dmixed.slot(t));
        }
      }
      // x̃_i = Σ_j α_ij h_j
      const bool relu = banks_[l].ends_in_relu();
      const auto dh = take(tasks(), dmixed.dim()), dalpha = take(1, alphas_[l].size());
      kernels::mix_backward<Scalar>(subspaces_of(kept.h.view()), selections_, 0,
                                    alpha(theta, l, x.batch()), subspaces_of(dmixed),
                                    subspaces_of(dh), dalpha, relu);
      kernels::add_batch_sums<Scalar>(dalpha, grad.add_to(alphas_[l]).data);
      const View3<const Scalar> state = l == 0 ? x : workspace[l - 1].mixed.view();
      dmixed = l == 0 ? dx : take(tasks(), state.dim());
      const std::span<bool> written = take_flags(scratch, state.slots());
      for (Index t = 0; t < tasks(); ++t)
        banks_[l].backward_one(t, theta, state, kept.h, dh.slot(t), dmixed, kept.bank, grad,
                               scratch, written, relu);
    }
  }

 private:
  static Init alpha_init(SluiceInit init, Index n) {
    const auto count = static_cast<double>(n);
    if (init == SluiceInit::balanced || n == 1) return Init::constant(1 / count);
    return Init::diagonal(0.9, 0.1 / (count - 1));
  }
  static Init beta_init(SluiceInit init, Index n) {
    const auto count = static_cast<double>(n);
    if (init == SluiceInit::balanced || n == 1) return Init::constant(1 / count);
    return Init::last_column(0.9, 0.1 / (count - 1));
  }
  // Every subspace of every other, in the order of a row of α.
  static std::vector<std::vector<Index>> all_of_all(Index slots) {
    std::vector<Index> all(static_cast<std::size_t>(slots));
    std::iota(all.begin(), all.end(), Index{0});
    return std::vector<std::vector<Index>>(all.size(), all);
  }
  Index tasks() const { return banks_.front().size(); }

  // A contiguous [B, T, H] as [B, T S, H / S].
  template <class T>
  View3<T> subspaces_of(View3<T> state) const {
    return {state.data(), state.batch(), state.slots() * subspaces_, state.dim() / subspaces_};
  }
  // One row of weights for all samples.
  View3<const Scalar> alpha(ParamView<Scalar> theta, std::size_t l, Index batch) const {
    return {theta.data(alphas_[l]), batch, 1, alphas_[l].size(), 0, 0};
  }
  View3<const Scalar> beta(ParamView<Scalar> theta, Index t, std::size_t l, Index batch = 1) const {
    return {theta.data(*betas_) + t * betas_->cols + static_cast<Index>(l), batch, 1, 1, 0, 0};
  }

  // `rows` rows of a parameter for each live task.
  static void mark_rows(const ParamId& id, Index rows, Flags live, MarkRange mark) {
    const Index size = rows * id.cols;
    for (std::size_t t = 0; t < live.size(); ++t)
      if (live[t]) mark(ParamRange{id.offset + static_cast<Index>(t) * size, size});
  }

  // Reverses y_t += β_tl x̃_t; adds to dmixed.
  void skip_backward(ParamView<Scalar> theta, Index t, std::size_t l, View3<const Scalar> mixed,
                     View3<const Scalar> dy, View3<Scalar> dmixed, GradView<Scalar> grad,
                     Scratch& scratch) const {
    constexpr std::array<Selections::Use, 1> one{{{0, 0}}};
    const Scratch::Frame frame(scratch);
    const auto share = scratch.take<Scalar>(dy.batch(), 1, dy.dim());
    const auto dbeta = scratch.take<Scalar>(dy.batch(), 1, 1);
    kernels::mix_backward<Scalar>(mixed, one, beta(theta, t, l, dy.batch()), dy, share, dbeta);
    kernels::add<Scalar>(share, dmixed);
    kernels::add_batch_sums<Scalar>(
        dbeta, grad.add_to(*betas_).data + t * betas_->cols + static_cast<Index>(l));
  }

  Index subspaces_;
  std::vector<ExpertBank<Scalar>> banks_;  // by level
  std::vector<ParamId> alphas_;            // by level
  std::optional<ParamId> betas_;
  Selections selections_;  // of a level's subspaces
};

static_assert(TellsReach<SluiceLayer<float>> && Watchable<SluiceLayer<float>>);

}  // namespace plait
