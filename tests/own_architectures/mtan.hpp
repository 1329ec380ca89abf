// MTAN in its fully connected form: one shared network, of which every task sees what its own
// masks let through, level by level.                              x [B, 1, D] -> y [B, T, H_L]
//
//   p_0 = x,   u_l = relu(A_l p_{l-1}),   p_l = relu(C_l u_l)                        shared
//   r_{t,l} = relu(W_{t,l} [u_l ; q_{t,l-1}]),   μ_{t,l} = σ(V_{t,l} r_{t,l})        task t's mask
//   a_{t,l} = μ_{t,l} ⊙ p_l,   q_{t,l} = relu(F_l a_{t,l})
//   y_t = a_{t,L}
//
// in which every matrix has a bias, the first level's masks read u_1 alone, F is one for all tasks
// and there is none at the last level; level l is H_l wide throughout. A route mixes experts and
// can neither multiply nor join them, so this is a layer of its own. Without batch normalisation,
// which the source has after every matrix of a mask and after F.
//
// Backward, of level l, where da_{t,L} = dy_t and else what F_l makes of dq_{t,l}:
//   dp_l += Σ_t da_{t,l} ⊙ μ_{t,l},   dμ_{t,l} = da_{t,l} ⊙ p_l,   [du_l ; dq_{t,l-1}] += d[u ; q]
//
// Parameters, each {name}.mlp_net.0.weight|bias: u.{l} (A), p.{l} (C), q.{l} (F), and of task t
// mask_hidden.{l}.{t} (W) [H_l, H_l + H_{l-1}], mask.{l}.{t} (V). Source: Liu et al., "End-to-End
// Multi-Task Learning with Attention", CVPR 2019; lorenmt/mtan im2im_pred/model_segnet_mtan.py.
#pragma once
#include <algorithm>
#include <plait/plait.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

template <class Scalar>
class MtanLayer;

struct Mtan {
  plait::Index input_dim = 0;
  plait::Index num_tasks = 0;
  std::vector<plait::Index> levels{};  // H_l

  template <class Scalar>
  using Layer = MtanLayer<Scalar>;
  // To be saved.
  static constexpr std::string_view name = "Mtan";
  void fields(plait::FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("levels", levels);
  }
};

template <class Scalar_>
class MtanLayer {
 public:
  using Scalar = Scalar_;
  using Values = plait::ParamView<Scalar>;
  using In = plait::View3<const Scalar>;
  using Out = plait::View3<Scalar>;
  using Index = plait::Index;

  struct Level {
    // u, p [B, 1, H_l], μ [B, T, H_l]; below the last level a and [u_{l+1} ; q_l] [B, T, ·].
    plait::Tensor<Scalar> u, p, mask, attended, above;
    typename plait::Network<Scalar>::Workspace u_call, p_call, mask_call;
    // Of F, which is called once per task: a workspace holds what one call recorded.
    std::vector<typename plait::Network<Scalar>::Workspace> q_calls;
  };
  using Workspace = std::vector<Level>;

  // Throws plait::ConfigError for sizes below 1.
  MtanLayer(plait::ParamTable& table, const std::string& prefix, const Mtan& config)
      : tasks_(config.num_tasks) {
    plait::check_trunk(table, "Mtan", config.input_dim, tasks_, config.levels.size());
    Index below = config.input_dim;
    for (std::size_t l = 0; l < config.levels.size(); ++l) {
      const Index width = config.levels[l], begin = table.buffer_size();
      const plait::Body relu({width}), sigmoid({width}, plait::Activation::sigmoid);
      const auto name = [&](auto... of) { return plait::join_name(prefix, plait::text(of...)); };
      const auto of_tasks = [&](const char* part, plait::Shape in, const plait::Body& body) {
        std::vector<plait::ExpertRoute> routes;
        for (Index t = 0; t < tasks_; ++t)
          routes.push_back({name(part, l, ".", t), in.slots > 1 ? t : 0});
        return plait::ExpertBank<Scalar>(table, routes, in, body);
      };
      u_.push_back(relu.build<Scalar>(table, name("u.", l), below));
      p_.push_back(relu.build<Scalar>(table, name("p.", l), width));
      if (l + 1 < config.levels.size())
        q_.push_back(relu.build<Scalar>(table, name("q.", l), width));
      shared_.push_back(table.range_from(begin));
      const auto joined = l > 0 ? plait::Shape{tasks_, width + below} : plait::Shape{1, width};
      masks_.push_back(plait::Sequential<Scalar>(
          {of_tasks("mask_hidden.", joined, relu), of_tasks("mask.", {tasks_, width}, sigmoid)}));
      below = width;
    }
  }

  plait::Shape in_shape() const { return u_.front().in_shape(); }
  plait::Shape out_shape() const { return masks_.back().out_shape(); }

  // The first level's u alone reads x.
  bool visit_input_linears(plait::VisitLinear f) const { return u_.front().visit_input_linears(f); }

  // What a level shows as its experts are the tasks' masks, which no unit weighs.
  std::vector<plait::WatchedLevel> watched() const {
    return std::vector<plait::WatchedLevel>(u_.size(), {.experts = tasks_});
  }
  void watch(Values, const Workspace& workspace, plait::Scratch&,
             plait::ShowLevel<Scalar> show) const {
    for (std::size_t l = 0; l < u_.size(); ++l)
      show(static_cast<Index>(l), workspace[l].mask.slot_major(), {}, {});
  }

  // A task's gradient reaches its own masks and all that is shared.
  bool reach(plait::Flags live, std::span<bool> live_in, plait::MarkRange mark,
             plait::Scratch& scratch) const {
    const plait::Scratch::Frame frame(scratch);
    for (std::size_t l = 0; l < u_.size(); ++l) {
      masks_[l].reach(live, l > 0 ? plait::take_flags(scratch, tasks_) : live_in, mark, scratch);
      if (std::ranges::count(live, true) > 0) mark(shared_[l]);
    }
    return true;
  }

  void forward(Values theta, In x, Out y, Workspace* workspace, plait::Scratch& scratch) const {
    const plait::Scratch::Frame frame(scratch);
    if (workspace != nullptr) workspace->resize(u_.size());
    In below = x;
    Out joined;
    for (std::size_t l = 0; l < u_.size(); ++l) {
      Level* const kept = workspace != nullptr ? &(*workspace)[l] : nullptr;
      const auto take = [&](plait::Tensor<Scalar> Level::*member, Index slots, Index dim) {
        return keep_slot_major(part(kept, member), scratch, x.batch(), slots, dim);
      };
      const Index width = u_[l].out_shape().dim;
      const auto u = take(&Level::u, 1, width), p = take(&Level::p, 1, width);
      const auto mask = take(&Level::mask, tasks_, width);
      u_[l].forward(theta, below, u, part(kept, &Level::u_call), scratch);
      p_[l].forward(theta, u, p, part(kept, &Level::p_call), scratch);
      for (Index t = 0; l > 0 && t < tasks_; ++t) joined.of_slot(t).leftCols(width) = u.of_slot(0);
      masks_[l].forward(theta, l > 0 ? joined : u, mask, part(kept, &Level::mask_call), scratch);
      const Out a = l + 1 < u_.size() ? take(&Level::attended, tasks_, width) : y;
      for (Index t = 0; t < tasks_; ++t) a.of_slot(t) = mask.of_slot(t).cwiseProduct(p.of_slot(0));
      if (l + 1 == u_.size()) return;
      joined = take(&Level::above, tasks_, u_[l + 1].out_shape().dim + width);
      if (kept != nullptr) kept->q_calls.resize(static_cast<std::size_t>(tasks_));
      for (Index t = 0; t < tasks_; ++t)
        q_[l].forward(theta, a.slot(t), joined.slot(t).columns(joined.dim() - width, width),
                      part(kept, &Level::q_calls, static_cast<std::size_t>(t)), scratch);
      below = p;
    }
  }

  // Of dy the live tasks alone are read; without `live` all are.
  void backward(Values theta, In x, In, In dy, Out dx, const Workspace& workspace,
                plait::GradView<Scalar> grad, plait::Scratch& scratch,
                plait::Flags live = {}) const {
    if (!live.empty() && std::ranges::count(live, true) == 0) return;
    const plait::Scratch::Frame frame(scratch);
    const auto is_live = [&](Index t) { return live.empty() || live[static_cast<std::size_t>(t)]; };
    const auto take = [&](plait::Shape shape) {
      return scratch.take_slot_major<Scalar>(x.batch(), shape.slots, shape.dim);
    };
    Out dp = take(p_.back().out_shape()), dabove;
    dp.of_slot(0).setZero();
    for (std::size_t l = u_.size(); l-- > 0;) {
      const Level& kept = workspace[l];
      const In u = kept.u.slot_major(), p = kept.p.slot_major(), mask = kept.mask.slot_major();
      const auto da = take(masks_[l].out_shape()), dmask = take(masks_[l].out_shape());
      const auto djoined = take(masks_[l].in_shape()), du = take(u_[l].out_shape());
      const auto q = [&](auto above) { return above.columns(above.dim() - p.dim(), p.dim()); };
      for (Index t = 0; t < tasks_; ++t) {
        if (!is_live(t)) continue;
        if (l + 1 == u_.size())
          da.of_slot(t) = dy.of_slot(t);
        else
          q_[l].backward(theta, kept.attended.slot_major().slot(t),
                         q(kept.above.slot_major()).slot(t), q(dabove).slot(t), da.slot(t),
                         kept.q_calls[static_cast<std::size_t>(t)], grad, scratch);
        // a_t = μ_t ⊙ p
        dp.of_slot(0) += da.of_slot(t).cwiseProduct(mask.of_slot(t));
        dmask.of_slot(t) = da.of_slot(t).cwiseProduct(p.of_slot(0));
      }
      const Level* const lower = l > 0 ? &workspace[l - 1] : nullptr;
      masks_[l].backward(theta, lower ? lower->above.slot_major() : u, mask, dmask, djoined,
                         kept.mask_call, grad, scratch, live);
      // u is read by p and by every mask
      p_[l].backward(theta, u, p, dp, du, kept.p_call, grad, scratch);
      for (Index s = 0; s < djoined.slots(); ++s)
        if (l == 0 || is_live(s)) du.of_slot(0) += djoined.of_slot(s).leftCols(p.dim());
      dp = lower ? take(p_[l - 1].out_shape()) : dx;
      u_[l].backward(theta, lower ? lower->p.view() : x, u, du, dp, kept.u_call, grad, scratch);
      dabove = djoined;
    }
  }

 private:
  Index tasks_;
  std::vector<plait::Network<Scalar>> u_, p_, q_, masks_;  // by level; the masks of all tasks
  std::vector<plait::ParamRange> shared_;                  // u's, p's and q's, by level
};

static_assert(plait::DescribesTrunk<Mtan, float>);
static_assert(plait::TellsReach<MtanLayer<float>> && plait::Watchable<MtanLayer<float>>);
