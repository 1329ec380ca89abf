// AuxiliaryTowers: every task's tower and, for training, a small second one on the same input.
//                                              x [B, T, H] -> y [B, 1, 2 Σ_t C_t]
//   y = [towers(x), small(x)]
//
// Self-auxiliaries (Wang et al., Can small heads help? Understanding and improving multi-task
// generalization, WWW 2022): the small head of a task predicts the task's own labels; being weak,
// it asks the shared representation for what is easy to read from it. The loss gives it a weight λ
// (with_auxiliary), and serving leaves it away (AuxiliaryModel::serving). Here the small head reads
// what the tower reads.
//
// Tasks 0 ... T - 1 are the towers, T ... 2 T - 1 the small ones. Parameters: those of Towers under
// two names.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "plait/core/layer.hpp"
#include "plait/core/reach.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/towers.hpp"

namespace plait {

template <class Scalar_, Body TowerBody_ = MLP<Scalar_>>
class AuxiliaryTowers {
 public:
  using Scalar = Scalar_;
  using TowersLayer = Towers<Scalar, TowerBody_>;
  struct Config {
    typename TowersLayer::Config towers;
    // Hidden layers of the small towers: one for all tasks, or one per task; none: linear.
    std::vector<typename TowerBody_::Config> small{{}};
  };
  struct Workspace {
    typename TowersLayer::Workspace towers;
    typename TowersLayer::Workspace small;
  };

  // `in` is the trunk's output shape: one slot per task. Throws ConfigError for sizes below 1.
  AuxiliaryTowers(ParamTable& table, const std::string& name, const std::string& small_name,
                  Shape in, const Config& config)
      : towers_(table, name, in, config.towers),
        small_(table, small_name, in, {config.small, config.towers.outputs}) {}

  Shape in_shape() const { return towers_.in_shape(); }
  Shape out_shape() const { return {1, 2 * width()}; }
  Index num_tasks() const { return 2 * towers_.num_tasks(); }
  Index num_outputs() const { return num_tasks(); }
  // First column of a task's logits, and their number; small towers included.
  Index offset(Index task) const { return is_small(task) * width() + towers_.offset(own(task)); }
  Index outputs(Index task) const { return towers_.outputs(own(task)); }

  // As core/reach.hpp has it; `live` tasks.
  template <class Mark>
  bool reach(Flags live, std::span<bool> live_in, const Mark& mark, Scratch& scratch) const {
    towers_.reach(own_part(live), live_in, mark, scratch);
    small_.reach(small_part(live), live_in, mark, scratch);
    return true;
  }

  void infer(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
             Scratch& scratch) const {
    towers_.infer(theta, x, y.columns(0, width()), scratch);
    small_.infer(theta, x, y.columns(width(), width()), scratch);
  }
  void forward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace& workspace, Scratch& scratch) const {
    towers_.forward(theta, x, y.columns(0, width()), workspace.towers, scratch);
    small_.forward(theta, x, y.columns(width(), width()), workspace.small, scratch);
  }

  void backward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                ParamView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    const Scratch::Frame frame(scratch);
    View3<Scalar> dx_small;
    if (dx) dx_small = scratch.take<Scalar>(x.batch(), x.slots(), x.dim());
    small_.backward(theta, x, y.columns(width(), width()), dy.columns(width(), width()), dx_small,
                    workspace.small, grad, scratch, small_part(live));
    towers_.backward(theta, x, y.columns(0, width()), dy.columns(0, width()), dx, workspace.towers,
                     grad, scratch, own_part(live));
    for (Index t = 0; t < dx.slots(); ++t) {
      const auto i = static_cast<std::size_t>(t);
      if (live.empty() || (live[i] && small_part(live)[i])) {
        add<Scalar>(dx_small.slot(t), dx.slot(t));
      } else if (small_part(live)[i]) {
        copy<Scalar>(dx_small.slot(t), dx.slot(t));
      }
    }
  }

 private:
  Flags own_part(Flags live) const { return live.first(live.size() / 2); }
  Flags small_part(Flags live) const { return live.last(live.size() / 2); }
  Index width() const { return towers_.out_shape().dim; }
  Index is_small(Index task) const { return task < towers_.num_tasks() ? 0 : 1; }
  Index own(Index task) const { return task - is_small(task) * towers_.num_tasks(); }

  TowersLayer towers_;
  TowersLayer small_;
};

static_assert(TellsReach<AuxiliaryTowers<float>>);

}  // namespace plait
