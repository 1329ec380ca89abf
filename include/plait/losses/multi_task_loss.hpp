// MultiTaskLoss: the training objective of several tasks on one batch, and its gradient.
//
//   L_t   = Σ_b w_bt loss_t(z_bt, y_bt) / Σ_b w_bt,   w_bt = mask_bt weight_b space_bt
//   total = Σ_t weight_t L_t
//   dz_bt = weight_t w_bt / (Σ_b w_bt) dloss_t(z_bt, y_bt)
//
// (PLE, Tang et al., RecSys 2020, eqs. 8 and 9, with sample weights), where space_bt is the head's
// in_space or out_of_space (1 and 0: PLE's δ). A loss of groups has
//
//   L_t   = Σ_g loss_t(group g) / Σ_g mass_t(group g)
//
// instead. A task without a valid label in the batch (for a loss of groups: without any mass)
// contributes zero loss and zero gradient. A sample that does not count for a task (masked out, or
// of weight 0) gets exactly zero gradient from it, whatever its logits and label.
//
// A task's loss reads its own logits, but for a conditional head, which also reads, and gives
// gradients to, those of the tasks that it is conditional on (ESMM).
//
// The batch is evaluated in row tiles, but the means are over the whole batch; so the loss owns the
// normalisation, which needs the targets only:
//
//   loss.check(targets, batch);
//   loss.normaliser(targets, normaliser);
//   for each tile: loss.evaluate(logits, targets.rows(first, count), normaliser, dlogits, losses);
//
// Tiles in order give the same losses and gradients as one call, bit for bit. With losses of groups
// (needs_groups) a tile ends where a group ends.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/function_ref.hpp"
#include "plait/core/representable.hpp"
#include "plait/core/view.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/losses/check_heads.hpp"
#include "plait/losses/head.hpp"
#include "plait/losses/joint_logit.hpp"
#include "plait/losses/targets.hpp"

namespace plait {

template <class S>
class MultiTaskLoss {
 public:
  using Scalar = S;

  // Throws ConfigError for heads without a meaning (check_heads), or with settings that Scalar
  // cannot hold (require_representable).
  PLAIT_COLD explicit MultiTaskLoss(std::vector<Head> heads) : heads_(std::move(heads)) {
    check_heads("MultiTaskLoss", heads_);
    detail::RepresentableFields<Scalar> visit("MultiTaskLoss");
    for (Index t = 0; t < num_tasks(); ++t) {
      visit.of(" of " + task_name(heads_, t));
      Head copy = head(t);
      copy.fields(visit);
    }
    offsets_ = head_offsets(heads_);
  }

  const std::vector<Head>& heads() const { return heads_; }
  Index num_tasks() const { return std::ssize(heads_); }
  Index offset(Index t) const { return offsets_[static_cast<std::size_t>(t)]; }
  // C, the width of the logits of all tasks.
  Index width() const { return offsets_.back(); }
  // True when the targets must have groups.
  bool needs_groups() const { return plait::needs_groups(heads_); }

  // Throws ShapeError or ValueError unless the targets fit the heads and the batch
  // (check_targets).
  void check(const Targets<Scalar>& targets, Index batch) const {
    check_targets("MultiTaskLoss", heads_, targets, batch);
  }

  // reciprocal [T] = 1 / Σ_b w_bt (1 / Σ_g mass_t) over the whole batch, 0 for a task without a
  // label that counts. The caller's vector is resized: a reused one is not allocated again.
  void normaliser(const Targets<Scalar>& targets, std::vector<double>& reciprocal) const {
    masses(targets, reciprocal);
    for (double& mass : reciprocal) mass = mass > 0 ? 1 / mass : 0;
  }
  // mass [T], what the tasks' losses are divided by: of losses of single rows Σ_b w_bt over the
  // labels that count.
  void masses(const Targets<Scalar>& targets, std::vector<double>& mass) const {
    mass.assign(heads_.size(), 0.0);
    for (Index t = 0; t < num_tasks(); ++t)
      mass[static_cast<std::size_t>(t)] =
          with_loss(head(t), [&](const auto& loss) { return this->mass(t, loss, targets); });
  }

  // One tile of n rows: logits and dlogits [n, 1, C], targets of the same rows, normaliser and
  // task_losses [T] of the whole batch. dlogits is overwritten, and skipped when empty; the tile's
  // share of every L_t is added to task_losses. Logits that are not finite make the losses and
  // gradients that they count for not finite. Does not check values. With scales [T] dlogits is the
  // gradient of Σ_t scale_t weight_t L_t; task_losses are without them.
  void evaluate(View3<const Scalar> logits, const Targets<Scalar>& targets,
                std::span<const double> normaliser, View3<Scalar> dlogits,
                std::span<double> task_losses, std::span<const double> scales = {}) const {
    check_tile(logits, targets, normaliser, dlogits, task_losses);
    PLAIT_ASSERT(scales.empty() || std::ssize(scales) == num_tasks());
    for (Index t = 0; t < num_tasks(); ++t)
      evaluate_columns(t, logits, targets, normaliser, dlogits, task_losses,
                       scales.empty() ? 1 : scales[static_cast<std::size_t>(t)]);
  }

  // The same for task t alone: dlogits [n, 1, C] is the gradient of weight_t L_t, zero in the
  // columns that it does not read; the other tasks' losses stay as they are. The gradients of all
  // tasks add up to that of evaluate, to rounding.
  void evaluate_task(Index t, View3<const Scalar> logits, const Targets<Scalar>& targets,
                     std::span<const double> normaliser, View3<Scalar> dlogits,
                     std::span<double> task_losses) const {
    check_tile(logits, targets, normaliser, dlogits, task_losses);
    if (dlogits) kernels::set_zero(dlogits);
    evaluate_columns(t, logits, targets, normaliser, dlogits, task_losses);
  }

  // Σ_t weight_t L_t.
  double total(std::span<const double> task_losses) const {
    double sum = 0;
    for (std::size_t t = 0; t < heads_.size(); ++t) sum += heads_[t].weight * task_losses[t];
    return sum;
  }

  // A whole batch at once, checked: returns the total, overwrites dlogits [batch, 1, C] unless
  // empty. Throws as check does, and ShapeError for logits or dlogits. Allocates two small vectors.
  double evaluate_batch(ViewArgument<const Scalar> logits, const Targets<Scalar>& targets,
                        ViewArgument<Scalar> dlogits = {}) const {
    const char* where = "MultiTaskLoss";
    detail::require_shape(where, "logits", logits, logits.batch(), width());
    check(targets, logits.batch());
    if (dlogits) detail::require_shape<Scalar>(where, "dlogits", dlogits, logits.batch(), width());
    std::vector<double> reciprocal, losses(heads_.size(), 0.0);
    normaliser(targets, reciprocal);
    evaluate(logits, targets, reciprocal, dlogits, losses);
    return total(losses);
  }

 private:
  const Head& head(Index t) const { return heads_[static_cast<std::size_t>(t)]; }

  void check_tile([[maybe_unused]] View3<const Scalar> logits,
                  [[maybe_unused]] const Targets<Scalar>& targets,
                  [[maybe_unused]] std::span<const double> normaliser,
                  [[maybe_unused]] View3<Scalar> dlogits,
                  [[maybe_unused]] std::span<double> task_losses) const {
    PLAIT_ASSERT(logits.slots() == 1 && logits.dim() == width());
    PLAIT_ASSERT(targets.labels.batch() == logits.batch());
    PLAIT_ASSERT(!dlogits || (dlogits.batch() == logits.batch() && dlogits.dim() == width()));
    PLAIT_ASSERT(std::ssize(normaliser) == num_tasks() && std::ssize(task_losses) == num_tasks());
  }

  // Overwrites task t's columns of dlogits, and adds to those of the tasks that it is conditional
  // on, which come before it. The sum goes on from task_losses, so that tiles add up in the order
  // of the rows.
  void evaluate_columns(Index t, View3<const Scalar> logits, const Targets<Scalar>& targets,
                        std::span<const double> normaliser, View3<Scalar> dlogits,
                        std::span<double> task_losses, double scale = 1) const {
    const Tile tile{logits, targets, normaliser[static_cast<std::size_t>(t)],
                    scale * head(t).weight, dlogits};
    double& task_loss = task_losses[static_cast<std::size_t>(t)];
    with_loss(head(t), [&]<class Loss>(const Loss& loss) {
      if constexpr (GroupLoss<Loss, Scalar>) {
        add_groups(t, loss, tile, task_loss);
      } else if constexpr (std::is_same_v<Loss, ConditionalLoss>) {
        add_conditional(t, loss, tile, task_loss);
      } else {
        add_samples(t, loss, tile, task_loss);
      }
    });
  }

  struct Tile {
    View3<const Scalar> logits;
    const Targets<Scalar>& targets;
    double reciprocal;  // of the task
    double weight;      // of the task in the total
    View3<Scalar> dlogits;
  };

  template <class Loss>
  void add_samples(Index t, const Loss& loss, const Tile& tile, double& task_loss) const {
    for_each_share(t, tile, [&](Index b, double share, const Scalar* z, Scalar* dz) {
      task_loss += share * static_cast<double>(loss(z, label(t, tile, b), dz));
      if (!dz) return;
      const auto scale = static_cast<Scalar>(tile.weight * share);
      for (Index c = 0; c < loss.width(); ++c) dz[c] *= scale;
    });
  }

  // In double: the joint logit is a sum of exponentials of several logits.
  void add_conditional(Index t, const ConditionalLoss& loss, const Tile& tile,
                       double& task_loss) const {
    for_each_share(t, tile, [&](Index b, double share, const Scalar* z, Scalar* dz) {
      const double joint = joint_logit(heads(), t, z);
      double slope = 0;
      task_loss += share * loss(&joint, static_cast<double>(label(t, tile, b)), &slope);
      if (!dz) return;
      const auto gradient = [&](Index k) {  // of the logit k columns before
        return static_cast<Scalar>(tile.weight * share * slope *
                                   product_logit_slope(static_cast<double>(z[-k]), joint));
      };
      *dz = gradient(0);
      for_each_given(heads(), t, [&](Index, Index k) { dz[-k] += gradient(k); });
    });
  }

  template <class Loss>
  void add_groups(Index t, const Loss& loss, const Tile& tile, double& task_loss) const {
    const auto columns = [&](auto view) { return view.columns(offset(t), loss.width()); };
    if (tile.reciprocal == 0) {
      if (tile.dlogits) kernels::set_zero(columns(tile.dlogits));
      return;
    }
    GroupRows<Scalar> all = group_rows(t, tile.targets);
    all.logits = columns(tile.logits);
    if (tile.dlogits) all.dlogits = columns(tile.dlogits);
    for_each_group(tile.targets.groups, [&](Index first, Index count) {
      task_loss += tile.reciprocal * loss(all.rows(first, count), tile.weight * tile.reciprocal);
    });
  }

  // visit(row, share of it in the task's mean, its logits, their gradient or null) for the rows
  // that count; the gradient of the others is set to zero.
  void for_each_share(
      Index t, const Tile& tile,
      FunctionRef<void(Index row, double share, const Scalar* z, Scalar* dz)> visit) const {
    const RowWeights<Scalar> weights = row_weights(t, tile.targets);
    const Index width = head(t).width();
    for (Index b = 0; b < tile.logits.batch(); ++b) {
      Scalar* dz = tile.dlogits ? tile.dlogits.row(b) + offset(t) : nullptr;
      const double share = weights[b] * tile.reciprocal;
      if (share != 0) {
        visit(b, share, tile.logits.row(b) + offset(t), dz);
      } else if (dz) {
        std::fill(dz, dz + width, Scalar(0));
      }
    }
  }

  // What the task's losses are divided by.
  template <class Loss>
  double mass(Index t, const Loss& loss, const Targets<Scalar>& targets) const {
    double sum = 0;
    if constexpr (GroupLoss<Loss, Scalar>) {
      const GroupRows<Scalar> all = group_rows(t, targets);
      for_each_group(targets.groups,
                     [&](Index first, Index count) { sum += loss.mass(all.rows(first, count)); });
    } else {
      sum = total_weight(t, targets);
    }
    return sum;
  }

  double total_weight(Index t, const Targets<Scalar>& targets) const {
    const RowWeights<Scalar> weights = row_weights(t, targets);
    double sum = 0;
    for (Index b = 0; b < targets.labels.batch(); ++b) sum += weights[b];
    return sum;
  }

  RowWeights<Scalar> row_weights(Index t, const Targets<Scalar>& targets) const {
    return targets.row_weights(head(t), label_column(heads(), t));
  }
  Scalar label(Index t, const Tile& tile, Index b) const {
    return tile.targets.labels.row(b)[label_column(heads(), t)];
  }
  // Labels and weights of all rows; without logits.
  GroupRows<Scalar> group_rows(Index t, const Targets<Scalar>& targets) const {
    return {.logits = {},
            .labels = targets.labels.columns(label_column(heads(), t), 1),
            .weights = row_weights(t, targets)};
  }

  std::vector<Head> heads_;
  std::vector<Index> offsets_;
};

}  // namespace plait
