// TaskMetrics: the usual metrics of every task, accumulated over batches.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/view.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/losses/check_heads.hpp"
#include "plait/losses/head.hpp"
#include "plait/losses/joint_logit.hpp"
#include "plait/losses/targets.hpp"
#include "plait/metrics/auc.hpp"
#include "plait/metrics/calibration.hpp"
#include "plait/metrics/gauc.hpp"
#include "plait/metrics/log_loss.hpp"
#include "plait/metrics/metric_value.hpp"
#include "plait/metrics/mse.hpp"
#include "plait/metrics/mtl_gain.hpp"
#include "plait/metrics/pair_accuracy.hpp"
#include "plait/metrics/weighted_mean.hpp"

namespace plait {

// By kind of head, the first one being the one to compare models by:
//
//   binary, focal, conditional, jrc
//                       auc (of the logits), gauc (by impressions; where the targets have groups),
//                       normalized_entropy, log_loss, calibration; of the joint event for
//                       conditional
//   regression, huber   mse
//   ziln                auc (of a positive value), log_loss (minus log-likelihood), calibration (of
//                       the expected value)
//   multiclass          log_loss, accuracy (of the largest logit, the first one among equals)
//   ordinal             log_loss (sum over thresholds), accuracy and mae of ordinal_class
//   pairwise, listwise  pair_accuracy
//
// Labels count as in MultiTaskLoss: not where they are masked out or the sample's weight is 0, and
// otherwise with the sample's weight; and not outside of the task's sample space. pos_weight, the
// tasks' weights and those of sample spaces do not count: they shape training, not what is
// measured.
class TaskMetrics {
 public:
  // Throws ConfigError for heads without a meaning.
  explicit TaskMetrics(std::vector<Head> heads) : heads_(std::move(heads)) {
    check_heads("TaskMetrics", heads_);
    for (Head& head : heads_) {
      head.in_space = 1;
      head.out_of_space = 0;
      has_gauc_ = has_gauc_ || head.kind == HeadKind::binary || head.kind == HeadKind::focal ||
                  head.kind == HeadKind::conditional || head.kind == HeadKind::jrc;
    }
    offsets_ = head_offsets(heads_);
    tasks_.resize(heads_.size());
  }

  // Adds a batch: logits [batch, 1, C]. The rows of a group must be in one batch for pair_accuracy;
  // for gauc they need not, but all batches with rows must have groups, or none: a gauc of some
  // rows only is none of the task. Throws, before anything is added, ShapeError for the logits and
  // for groups that other batches lack or have, ValueError for weights of two rows whose product
  // pair_accuracy would count and double cannot hold, and as check_targets does.
  template <class Scalar>
  void add(ViewArgument<const std::type_identity_t<Scalar>> logits,
           const Targets<Scalar>& targets) {
    detail::require_shape<Scalar>("TaskMetrics", "logits", logits, logits.batch(), offsets_.back());
    check_targets("TaskMetrics", heads_, targets, logits.batch());
    if (logits.batch() > 0) {
      const bool grouped = !targets.groups.empty();
      if (has_gauc_ && grouped_ && *grouped_ != grouped)
        throw ShapeError(
            "TaskMetrics", "groups", grouped ? "one per row" : "none",
            grouped ? "none, as in the batches before" : "one per row, as in the batches before");
    }
    // Pairs first, and aside: their weights are products, which may be refused.
    std::vector<PairAccuracy> pairs;
    for (Index t = 0; t < std::ssize(heads_); ++t)
      with_loss(heads_[static_cast<std::size_t>(t)], [&]<class Loss>(const Loss& loss) {
        if constexpr (ranks_pairs<Loss, Scalar>)
          pairs.push_back(with_groups(t, loss, logits, targets));
      });
    if (logits.batch() > 0) grouped_ = !targets.groups.empty();
    auto next = pairs.begin();
    for (Index t = 0; t < std::ssize(heads_); ++t)
      with_loss(heads_[static_cast<std::size_t>(t)], [&]<class Loss>(const Loss& loss) {
        if constexpr (ranks_pairs<Loss, Scalar>)
          of_task(t).pairs = *next++;
        else
          add_samples(t, loss, logits, targets);
      });
  }

  // As if the other's batches had been added here; for one accumulator per thread. Throws
  // ConfigError, before anything is changed, unless both have the same tasks, and groups in all of
  // their batches or in none.
  void merge(const TaskMetrics& other) {
    const auto same = [](const Head& a, const Head& b) {
      return a.kind == b.kind && a.classes == b.classes && a.given == b.given &&
             a.labels_of == b.labels_of && a.name == b.name;
    };
    require_config(std::ranges::equal(heads_, other.heads_, same), "TaskMetrics", "merge",
                   "metrics of other tasks", "the same tasks");
    require_config(!has_gauc_ || !grouped_ || !other.grouped_ || *grouped_ == *other.grouped_,
                   "TaskMetrics", "merge", "batches with groups and batches without",
                   "groups in all batches or in none");
    if (other.grouped_) grouped_ = other.grouped_;
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      tasks_[t].auc.merge(other.tasks_[t].auc);
      tasks_[t].gauc.merge(other.tasks_[t].gauc);
      tasks_[t].log_loss.merge(other.tasks_[t].log_loss);
      tasks_[t].calibration.merge(other.tasks_[t].calibration);
      tasks_[t].mse.merge(other.tasks_[t].mse);
      tasks_[t].loss.merge(other.tasks_[t].loss);
      tasks_[t].accuracy.merge(other.tasks_[t].accuracy);
      tasks_[t].distance.merge(other.tasks_[t].distance);
      tasks_[t].pairs.merge(other.tasks_[t].pairs);
    }
  }

  // Every metric of every task, in the order of the heads and of the list above. NaN where a metric
  // is undefined: no sample that counts, or one class only.
  std::vector<MetricValue> values() const {
    std::vector<MetricValue> result;
    for (std::size_t t = 0; t < heads_.size(); ++t) {
      const std::string task = task_name(heads_, static_cast<Index>(t));
      const Accumulators& of = tasks_[t];
      const auto put = [&](const char* name, double value, Better better) {
        result.push_back({task, name, value, better});
      };
      switch (heads_[t].kind) {
        case HeadKind::binary:
        case HeadKind::focal:
        case HeadKind::conditional:
        case HeadKind::jrc:
          put("auc", of.auc.value(), Better::higher);
          if (grouped_.value_or(false)) put("gauc", of.gauc.value(), Better::higher);
          put("normalized_entropy", of.log_loss.normalized_entropy(), Better::lower);
          put("log_loss", of.log_loss.value(), Better::lower);
          put("calibration", of.calibration.value(), Better::closer_to_one);
          break;
        case HeadKind::regression:
        case HeadKind::huber:
          put("mse", of.mse.value(), Better::lower);
          break;
        case HeadKind::ziln:
          put("auc", of.auc.value(), Better::higher);
          put("log_loss", of.loss.value(), Better::lower);
          put("calibration", of.calibration.value(), Better::closer_to_one);
          break;
        case HeadKind::multiclass:
          put("log_loss", of.loss.value(), Better::lower);
          put("accuracy", of.accuracy.value(), Better::higher);
          break;
        case HeadKind::ordinal:
          put("log_loss", of.loss.value(), Better::lower);
          put("accuracy", of.accuracy.value(), Better::higher);
          put("mae", of.distance.value(), Better::lower);
          break;
        case HeadKind::pairwise:
        case HeadKind::listwise:
          put("pair_accuracy", of.pairs.value(), Better::higher);
          break;
      }
    }
    return result;
  }

 private:
  template <class Loss, class Scalar>
  static constexpr bool ranks_pairs =
      GroupLoss<Loss, Scalar> && !std::is_same_v<Loss, JointRankingLoss>;

  // Of one task; those that its head does not use stay empty.
  struct Accumulators {
    AUC auc;
    GAUC gauc;
    LogLoss log_loss;
    Calibration calibration;
    MeanSquaredError mse;
    WeightedMean loss;
    WeightedMean accuracy;
    WeightedMean distance;
    PairAccuracy pairs;
  };

  // One row that counts.
  struct Sample {
    double label;
    double weight;
    const std::int64_t* group;  // null without groups
  };

  template <class Scalar, class Loss>
  void add_samples(Index t, const Loss& loss, ConstView3<Scalar> logits,
                   const Targets<Scalar>& targets) {
    const auto task = static_cast<std::size_t>(t);
    const Index column = label_column(heads_, t);
    const RowWeights<Scalar> weights = targets.row_weights(heads_[task], column);
    for (Index b = 0; b < logits.batch(); ++b) {
      if (weights[b] == 0) continue;
      const Sample sample{
          static_cast<double>(targets.labels.row(b)[column]), weights[b],
          targets.groups.empty() ? nullptr : &targets.groups[static_cast<std::size_t>(b)]};
      add_sample(t, loss, logits.row(b) + offsets_[task], sample);
    }
  }

  // The task's pairs with those of the batch.
  template <class Scalar, class Loss>
  PairAccuracy with_groups(Index t, const Loss& loss, ConstView3<Scalar> logits,
                           const Targets<Scalar>& targets) const {
    const auto task = static_cast<std::size_t>(t);
    const Index column = label_column(heads_, t);
    const GroupRows<Scalar> all{logits.columns(offsets_[task], loss.width()),
                                targets.labels.columns(column, 1),
                                targets.row_weights(heads_[task], column)};
    PairAccuracy pairs = tasks_[task].pairs;
    for_each_group(targets.groups,
                   [&](Index first, Index count) { pairs.add(all.rows(first, count)); });
    return pairs;
  }

  // The logit of an event: σ of it is the probability that is measured.
  void add_event(Index t, double logit, const Sample& sample) {
    Accumulators& to = of_task(t);
    to.auc.add(logit, sample.label, sample.weight);
    if (sample.group) to.gauc.add(*sample.group, logit, sample.label, sample.weight);
    to.log_loss.add_logit(logit, sample.label, sample.weight);
    to.calibration.add(sigmoid(logit), sample.label, sample.weight);
  }
  template <class Scalar>
  void add_sample(Index t, const BinaryLoss&, const Scalar* z, const Sample& sample) {
    add_event(t, static_cast<double>(*z), sample);
  }
  template <class Scalar>
  void add_sample(Index t, const FocalLoss&, const Scalar* z, const Sample& sample) {
    add_event(t, static_cast<double>(*z), sample);
  }
  template <class Scalar>
  void add_sample(Index t, const ConditionalLoss&, const Scalar* z, const Sample& sample) {
    add_event(t, joint_logit(heads_, t, z), sample);
  }
  template <class Scalar>
  void add_sample(Index t, const JointRankingLoss&, const Scalar* z, const Sample& sample) {
    add_event(t, static_cast<double>(z[1]) - static_cast<double>(z[0]), sample);
  }

  template <class Scalar>
  void add_sample(Index t, const SquaredLoss&, const Scalar* z, const Sample& sample) {
    of_task(t).mse.add(static_cast<double>(*z), sample.label, sample.weight);
  }
  template <class Scalar>
  void add_sample(Index t, const HuberLoss&, const Scalar* z, const Sample& sample) {
    of_task(t).mse.add(static_cast<double>(*z), sample.label, sample.weight);
  }

  template <class Scalar>
  void add_sample(Index t, const ZeroInflatedLognormalLoss& loss, const Scalar* z,
                  const Sample& sample) {
    const double wide[] = {static_cast<double>(z[0]), static_cast<double>(z[1]),
                           static_cast<double>(z[2])};
    double predicted[3];
    loss.predict(wide, predicted);
    Accumulators& to = of_task(t);
    to.auc.add(wide[0], sample.label > 0 ? 1 : 0, sample.weight);
    to.loss.add(zero_inflated_lognormal<double>(wide, sample.label, nullptr), sample.weight);
    to.calibration.add(predicted[0], sample.label, sample.weight);
  }
  template <class Scalar>
  void add_sample(Index t, const SoftmaxLoss& loss, const Scalar* z, const Sample& sample) {
    const Index top = std::max_element(z, z + loss.classes) - z;
    add_class(t, loss, z, sample, unless_nan(z, loss.width(), top));
  }
  template <class Scalar>
  void add_sample(Index t, const OrdinalLoss& loss, const Scalar* z, const Sample& sample) {
    const double predicted = unless_nan(z, loss.width(), ordinal_class(z, loss.classes));
    add_class(t, loss, z, sample, predicted);
    of_task(t).distance.add(std::abs(predicted - sample.label), sample.weight);
  }
  template <class Scalar, class Loss>
  void add_class(Index t, const Loss& loss, const Scalar* z, const Sample& sample,
                 double predicted) {
    Scalar* none = nullptr;
    Accumulators& to = of_task(t);
    to.loss.add(static_cast<double>(loss(z, static_cast<Scalar>(sample.label), none)),
                sample.weight);
    to.accuracy.add(std::isnan(predicted)       ? predicted
                    : predicted == sample.label ? 1
                                                : 0,
                    sample.weight);
  }
  // A class that was found in logits with a NaN is none.
  template <class Scalar>
  static double unless_nan(const Scalar* z, Index width, Index predicted) {
    const bool known = std::none_of(z, z + width, [](Scalar logit) { return std::isnan(logit); });
    return known ? static_cast<double>(predicted) : std::numeric_limits<double>::quiet_NaN();
  }

  Accumulators& of_task(Index t) { return tasks_[static_cast<std::size_t>(t)]; }

  std::vector<Head> heads_;
  std::vector<Index> offsets_;
  std::vector<Accumulators> tasks_;
  bool has_gauc_ = false;             // some head is of an event
  std::optional<bool> grouped_ = {};  // have the batches groups? empty before the first with rows
};

}  // namespace plait
