// Log-loss and normalized entropy of a binary task.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "plait/losses/bce.hpp"
#include "plait/metrics/sample.hpp"
#include "plait/metrics/weighted_mean.hpp"

namespace plait {

// Mean binary cross-entropy, and that divided by the entropy of the mean label (normalized entropy,
// He et al., ADKDD 2014: 1 is what the best constant prediction reaches, lower is better). Samples
// count as metrics/sample.hpp says; labels are in [0, 1].
class LogLoss {
 public:
  // From the logit; exact however confident.
  void add_logit(double logit, double label, double weight = 1) {
    if (counts(label, weight))
      add(bce_with_logits<double>(logit, label, 1, nullptr), label, weight);
  }
  // From the probability. Logarithms are clamped at -100, as in torch.nn.BCELoss, so that one
  // certain and wrong prediction does not make the mean infinite. Throws ValueError for a number
  // outside [0, 1] that is not NaN.
  void add_probability(double probability, double label, double weight = 1) {
    if (!counts(label, weight)) return;
    if (probability < 0 || probability > 1)
      detail::refuse_sample("LogLoss", "probability", probability, "a number in [0, 1]");
    const double yes = clamped_log(std::log(probability));
    const double no = clamped_log(std::log1p(-probability));
    add(-label * yes - (1 - label) * no, label, weight);
  }
  void merge(const LogLoss& other) {
    loss_.merge(other.loss_);
    positive_ += other.positive_;
    negative_ += other.negative_;
  }

  // Mean log-loss. NaN without samples.
  double value() const { return loss_.value(); }

  // NaN without samples, and when all labels are 0 or all are 1: their entropy is 0. (TorchEasyRec
  // clamps it to 3e-11 instead and returns a very large number.)
  double normalized_entropy() const {
    // The rarer class: 1 - rate has the other's digits only while that is not small.
    const double rate = (std::min)(positive_, negative_) / loss_.weight();
    if (!(rate > 0)) return std::numeric_limits<double>::quiet_NaN();
    return value() / -(rate * std::log(rate) + (1 - rate) * std::log1p(-rate));
  }

 private:
  static bool counts(double label, double weight) {
    return detail::sample_counts("LogLoss", detail::event_labels, label, weight);
  }

  // NaN stays NaN.
  static double clamped_log(double log) { return log < -100 ? -100 : log; }

  void add(double loss, double label, double weight) {
    loss_.add(loss, weight);
    positive_ += weight * label;
    negative_ += weight * (1 - label);
  }

  WeightedMean loss_;
  double positive_ = 0;  // Σ w y
  double negative_ = 0;  // Σ w (1 - y)
};

}  // namespace plait
