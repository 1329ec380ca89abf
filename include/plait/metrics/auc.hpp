// Area under the ROC curve, exact.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "plait/metrics/sample.hpp"

namespace plait {

namespace detail {

// AUC of samples in the order of their scores, each with a weight as positive and as negative. NaN
// when a class is missing.
template <class Iterator>
double area_under_curve(Iterator first, Iterator end) {
  double pairs = 0;     // weight of the pairs in the right order, ties half
  double positive = 0;  // weight of the positives
  double negative = 0;  // and of the negatives, up to the current score
  while (first != end) {
    double tied_positive = 0, tied_negative = 0;
    const double score = first->score;
    for (; first != end && first->score == score; ++first) {
      tied_positive += first->positive;
      tied_negative += first->negative;
    }
    pairs += tied_positive * (negative + tied_negative / 2);
    positive += tied_positive;
    negative += tied_negative;
  }
  return positive > 0 && negative > 0 ? pairs / (positive * negative)
                                      : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace detail

// The probability that a positive sample scores above a negative one, ties counting half:
//
//   AUC = Σ_{i,j} P_i N_j ([s_i > s_j] + [s_i = s_j] / 2) / (Σ_i P_i Σ_j N_j)
//
// with P = weight * label and N = weight * (1 - label), so that soft labels count as both. Any
// increasing function of the probability serves as score; logits are best, since probabilities near
// 1 collapse into ties. Keeps every sample (24 bytes each): exact values need all of them. Samples
// count as metrics/sample.hpp says; labels are in [0, 1], scores may be infinite.
class AUC {
 public:
  void add(double score, double label, double weight = 1) {
    if (detail::sample_counts("AUC", detail::event_labels, label, weight))
      samples_.push_back({score, weight * label, weight * (1 - label)});
  }
  // As if the other's samples had been added here.
  void merge(const AUC& other) {
    samples_.insert(samples_.end(), other.samples_.begin(), other.samples_.end());
  }

  // NaN when a class is missing or a score is NaN. Sorts a copy: O(n log n).
  double value() const {
    std::vector<Sample> sorted = samples_;
    for (const Sample& s : sorted)
      if (std::isnan(s.score)) return std::numeric_limits<double>::quiet_NaN();
    std::sort(sorted.begin(), sorted.end(),
              [](const Sample& a, const Sample& b) { return a.score < b.score; });
    return detail::area_under_curve(sorted.begin(), sorted.end());
  }

 private:
  struct Sample {
    double score;
    double positive;
    double negative;
  };
  std::vector<Sample> samples_;
};

}  // namespace plait
