// Area under the ROC curve, exact.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace plait {

// The probability that a positive sample scores above a negative one, ties counting half:
//
//   AUC = Σ_{i,j} P_i N_j ([s_i > s_j] + [s_i = s_j] / 2) / (Σ_i P_i Σ_j N_j)
//
// with P = weight * label and N = weight * (1 - label), so that soft labels count as both. Any
// increasing function of the probability serves as score; logits are best, since probabilities near
// 1 collapse into ties. Keeps every sample (24 bytes each): exact values need all of them.
class AUC {
 public:
  void add(double score, double label, double weight = 1) {
    samples_.push_back({score, weight * label, weight * (1 - label)});
  }
  // As if the other's samples had been added here.
  void merge(const AUC& other) {
    samples_.insert(samples_.end(), other.samples_.begin(), other.samples_.end());
  }

  // NaN when a class is missing or a score is NaN. Sorts a copy: O(n log n).
  double value() const {
    constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
    std::vector<Sample> sorted = samples_;
    for (const Sample& s : sorted)
      if (std::isnan(s.score)) return undefined;
    std::sort(sorted.begin(), sorted.end(),
              [](const Sample& a, const Sample& b) { return a.score < b.score; });

    double pairs = 0;     // weight of the pairs in the right order, ties half
    double positive = 0;  // weight of the positives
    double negative = 0;  // and of the negatives, up to the current score
    for (std::size_t first = 0; first < sorted.size();) {
      double tied_positive = 0, tied_negative = 0;
      std::size_t last = first;
      for (; last < sorted.size() && sorted[last].score == sorted[first].score; ++last) {
        tied_positive += sorted[last].positive;
        tied_negative += sorted[last].negative;
      }
      pairs += tied_positive * (negative + tied_negative / 2);
      positive += tied_positive;
      negative += tied_negative;
      first = last;
    }
    return positive > 0 && negative > 0 ? pairs / (positive * negative) : undefined;
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
