// TaskMetrics: the usual metrics of every task, accumulated over batches.
#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/losses/head.hpp"
#include "plait/losses/softmax_cross_entropy.hpp"
#include "plait/losses/targets.hpp"
#include "plait/metrics/auc.hpp"
#include "plait/metrics/calibration.hpp"
#include "plait/metrics/log_loss.hpp"
#include "plait/metrics/mse.hpp"
#include "plait/metrics/mtl_gain.hpp"
#include "plait/metrics/weighted_mean.hpp"

namespace plait {

struct MetricValue {
  std::string task;
  std::string name;
  double value;
  Better better;
};

// By kind of head:
//
//   binary      auc (of the logits), normalized_entropy, log_loss, calibration
//   regression  mse
//   multiclass  log_loss, accuracy (of the largest logit, the first one among equals)
//
// Labels count as in MultiTaskLoss: not where they are masked out or the sample's weight is 0, and
// otherwise with the sample's weight. pos_weight and the tasks' weights do not count: they shape
// training, not what is measured.
class TaskMetrics {
 public:
  // Throws ConfigError for heads without a meaning.
  explicit TaskMetrics(std::vector<Head> heads) : heads_(std::move(heads)) {
    check_heads("TaskMetrics", heads_);
    offsets_ = head_offsets(heads_);
    tasks_.resize(heads_.size());
  }

  // Adds a batch: logits [batch, 1, C]. Throws, before anything is added, ShapeError for the logits
  // and as check_targets does.
  template <class Scalar>
  void add(ConstView3<Scalar> logits, const Targets<Scalar>& targets) {
    detail::require_shape<Scalar>("TaskMetrics", "logits", logits, logits.batch(), offsets_.back());
    check_targets("TaskMetrics", heads_, targets, logits.batch());
    for (Index b = 0; b < logits.batch(); ++b)
      for (std::size_t t = 0; t < heads_.size(); ++t) {
        const double weight = targets.weight(b, static_cast<Index>(t));
        if (weight == 0) continue;
        const auto label = static_cast<double>(targets.labels.row(b)[t]);
        add_sample(heads_[t], logits.row(b) + offsets_[t], label, weight, tasks_[t]);
      }
  }

  // As if the other's batches had been added here; for one accumulator per thread. Throws
  // ConfigError unless both have the same tasks.
  void merge(const TaskMetrics& other) {
    require_config(std::ranges::equal(heads_, other.heads_,
                                      [](const Head& a, const Head& b) {
                                        return a.kind == b.kind && a.classes == b.classes &&
                                               a.name == b.name;
                                      }),
                   "TaskMetrics", "merge", "metrics of other tasks", "the same tasks");
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      tasks_[t].auc.merge(other.tasks_[t].auc);
      tasks_[t].log_loss.merge(other.tasks_[t].log_loss);
      tasks_[t].calibration.merge(other.tasks_[t].calibration);
      tasks_[t].mse.merge(other.tasks_[t].mse);
      tasks_[t].class_loss.merge(other.tasks_[t].class_loss);
      tasks_[t].accuracy.merge(other.tasks_[t].accuracy);
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
          put("auc", of.auc.value(), Better::higher);
          put("normalized_entropy", of.log_loss.normalized_entropy(), Better::lower);
          put("log_loss", of.log_loss.value(), Better::lower);
          put("calibration", of.calibration.value(), Better::closer_to_one);
          break;
        case HeadKind::regression:
          put("mse", of.mse.value(), Better::lower);
          break;
        case HeadKind::multiclass:
          put("log_loss", of.class_loss.value(), Better::lower);
          put("accuracy", of.accuracy.value(), Better::higher);
          break;
      }
    }
    return result;
  }

 private:
  // Of one task; those that its head does not use stay empty.
  struct Accumulators {
    AUC auc;
    LogLoss log_loss;
    Calibration calibration;
    MeanSquaredError mse;
    WeightedMean class_loss;
    WeightedMean accuracy;
  };

  template <class Scalar>
  static void add_sample(const Head& head, const Scalar* z, double label, double weight,
                         Accumulators& to) {
    const auto first = static_cast<double>(*z);
    switch (head.kind) {
      case HeadKind::binary:
        to.auc.add(first, label, weight);
        to.log_loss.add_logit(first, label, weight);
        to.calibration.add(sigmoid(first), label, weight);
        break;
      case HeadKind::regression:
        to.mse.add(first, label, weight);
        break;
      case HeadKind::multiclass: {
        const auto target = static_cast<Index>(label);
        const Index top = std::max_element(z, z + head.classes) - z;
        to.class_loss.add(static_cast<double>(softmax_cross_entropy(z, head.classes, target,
                                                                    static_cast<Scalar*>(nullptr))),
                          weight);
        to.accuracy.add(top == target ? 1 : 0, weight);
        break;
      }
    }
  }

  std::vector<Head> heads_;
  std::vector<Index> offsets_;
  std::vector<Accumulators> tasks_;
};

}  // namespace plait
