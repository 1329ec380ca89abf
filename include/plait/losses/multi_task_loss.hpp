// MultiTaskLoss: the training objective of several tasks on one batch, and its gradient.
//
//   L_t   = Σ_b w_bt loss_t(z_bt, y_bt) / Σ_b w_bt,   w_bt = mask_bt weight_b
//   total = Σ_t weight_t L_t
//   dz_bt = weight_t w_bt / (Σ_b w_bt) dloss_t(z_bt, y_bt)
//
// (PLE, Tang et al., RecSys 2020, eqs. 8 and 9, with sample weights.) A task without a valid label
// in the batch contributes zero loss and zero gradient. A sample that does not count for a task
// (masked out, or of weight 0) gets exactly zero gradient from it, whatever its logits and label.
//
// The batch is evaluated in row tiles, but the means are over the whole batch; so the loss owns the
// normalisation, which needs the targets only:
//
//   loss.check(targets, batch);
//   loss.normaliser(targets, normaliser);
//   for each tile: loss.evaluate(logits, targets.rows(first, count), normaliser, dlogits, losses);
//
// Tiles in order give the same losses and gradients as one call, bit for bit.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/losses/bce.hpp"
#include "plait/losses/head.hpp"
#include "plait/losses/mse.hpp"
#include "plait/losses/softmax_cross_entropy.hpp"
#include "plait/losses/targets.hpp"

namespace plait {

template <class S>
class MultiTaskLoss {
 public:
  using Scalar = S;

  // Throws ConfigError: no heads, fewer than 2 classes, a weight outside its domain.
  explicit MultiTaskLoss(std::vector<Head> heads) : heads_(std::move(heads)) {
    check_heads("MultiTaskLoss", heads_);
    offsets_ = head_offsets(heads_);
  }

  const std::vector<Head>& heads() const { return heads_; }
  Index num_tasks() const { return std::ssize(heads_); }
  Index offset(Index t) const { return offsets_[static_cast<std::size_t>(t)]; }
  // C, the width of the logits of all tasks.
  Index width() const { return offsets_.back(); }

  // Throws ShapeError or ValueError unless the targets fit the heads and the batch
  // (check_targets).
  void check(const Targets<Scalar>& targets, Index batch) const {
    check_targets("MultiTaskLoss", heads_, targets, batch);
  }

  // reciprocal [T] = 1 / Σ_b w_bt over the whole batch, 0 for a task without a label that counts.
  // The caller's vector is resized: a reused one is not allocated again.
  void normaliser(const Targets<Scalar>& targets, std::vector<double>& reciprocal) const {
    reciprocal.assign(heads_.size(), 0.0);
    for (Index b = 0; b < targets.labels.batch(); ++b)
      for (Index t = 0; t < num_tasks(); ++t)
        reciprocal[static_cast<std::size_t>(t)] += targets.weight(b, t);
    for (double& r : reciprocal) r = r > 0 ? 1 / r : 0;
  }

  // One tile of n rows: logits and dlogits [n, 1, C], targets of the same rows, normaliser and
  // task_losses [T] of the whole batch. dlogits is overwritten, and skipped when empty; the tile's
  // share of every L_t is added to task_losses. Logits that are not finite make the losses and
  // gradients that they count for not finite. Does not check values.
  void evaluate(View3<const Scalar> logits, const Targets<Scalar>& targets,
                std::span<const double> normaliser, View3<Scalar> dlogits,
                std::span<double> task_losses) const {
    PLAIT_ASSERT(logits.slots() == 1 && logits.dim() == width());
    PLAIT_ASSERT(targets.labels.batch() == logits.batch());
    PLAIT_ASSERT(!dlogits || (dlogits.batch() == logits.batch() && dlogits.dim() == width()));
    PLAIT_ASSERT(std::ssize(normaliser) == num_tasks() && std::ssize(task_losses) == num_tasks());
    for (Index t = 0; t < num_tasks(); ++t) {
      const auto task = static_cast<std::size_t>(t);
      const Head& head = heads_[task];
      const auto run = [&](const auto& element) {
        evaluate_task(t, logits, targets, normaliser[task], dlogits, task_losses[task], element);
      };
      switch (head.kind) {
        case HeadKind::binary:
          run([p = static_cast<Scalar>(head.pos_weight)](const Scalar* z, Scalar y, Scalar* dz) {
            return bce_with_logits(*z, y, p, dz);
          });
          break;
        case HeadKind::regression:
          run([](const Scalar* z, Scalar y, Scalar* dz) { return squared_error(*z, y, dz); });
          break;
        case HeadKind::multiclass:
          run([n = head.classes](const Scalar* z, Scalar y, Scalar* dz) {
            return softmax_cross_entropy(z, n, static_cast<Index>(y), dz);
          });
          break;
      }
    }
  }

  // Σ_t weight_t L_t.
  double total(std::span<const double> task_losses) const {
    double sum = 0;
    for (std::size_t t = 0; t < heads_.size(); ++t) sum += heads_[t].weight * task_losses[t];
    return sum;
  }

  // A whole batch at once, checked: returns the total, overwrites dlogits [batch, 1, C] unless
  // empty. Throws as check does, and ShapeError for logits or dlogits. Allocates two small vectors.
  double evaluate_batch(View3<const Scalar> logits, const Targets<Scalar>& targets,
                        View3<Scalar> dlogits = {}) const {
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
  // element(z, y, dz) is the loss of one sample and its gradient (dz null: not wanted). The sum
  // goes on from task_loss, so that tiles add up in the order of the rows.
  template <class Element>
  void evaluate_task(Index t, View3<const Scalar> logits, const Targets<Scalar>& targets,
                     double reciprocal, View3<Scalar> dlogits, double& task_loss,
                     const Element& element) const {
    const Head& head = heads_[static_cast<std::size_t>(t)];
    for (Index b = 0; b < logits.batch(); ++b) {
      const Scalar* z = logits.row(b) + offset(t);
      Scalar* dz = dlogits ? dlogits.row(b) + offset(t) : nullptr;
      const double share = targets.weight(b, t) * reciprocal;
      if (share == 0) {
        if (dz) std::fill(dz, dz + head.width(), Scalar(0));
        continue;
      }
      task_loss += share * static_cast<double>(element(z, targets.labels.row(b)[t], dz));
      if (!dz) continue;
      const auto scale = static_cast<Scalar>(head.weight * share);
      for (Index c = 0; c < head.width(); ++c) dz[c] *= scale;
    }
  }

  std::vector<Head> heads_;
  std::vector<Index> offsets_;
};

}  // namespace plait
