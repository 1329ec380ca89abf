// Calibration curve: what was observed where a probability was predicted.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/metrics/sample.hpp"

namespace plait {

// The samples of one stretch of predicted probabilities.
struct CalibrationBin {
  double predicted = 0;  // weighted mean of the predictions
  double observed = 0;   // and of the labels; equal to it when calibrated
  double weight = 0;     // sum of the samples' weights
};

// Keeps every sample (24 bytes each), so that the bins may be chosen afterwards.
class CalibrationCurve {
 public:
  // Samples count as metrics/sample.hpp says; labels are in [0, 1]. Throws ValueError, too, unless
  // the probability is in [0, 1]: NaN lies in no bin.
  void add(double probability, double label, double weight = 1) {
    if (!detail::sample_counts("CalibrationCurve", detail::event_labels, label, weight)) return;
    if (!(probability >= 0 && probability <= 1))
      throw ValueError("CalibrationCurve", "probability", text(probability), "a number in [0, 1]");
    samples_.push_back({probability, label, weight});
  }
  // As if the other's samples had been added here.
  void merge(const CalibrationCurve& other) {
    samples_.insert(samples_.end(), other.samples_.begin(), other.samples_.end());
  }

  // Bins [i / count, (i + 1) / count), the last one including 1, in order; those without a sample
  // are left out. i / count is the double nearest to it. Throws ConfigError for count below 1.
  std::vector<CalibrationBin> equal_width(Index count) const {
    const auto bins_of_1 = static_cast<double>(count);
    return bins(count, [&](const Sample& s, double, double) {
      // The product may round to the other side of a bin's end.
      const double bin = std::floor(s.probability * bins_of_1);
      if (s.probability < bin / bins_of_1) return bin - 1;
      return s.probability >= (bin + 1) / bins_of_1 ? bin + 1 : bin;
    });
  }

  // Bins of about equal weight, in order: with rare events nearly all predictions are small, and
  // bins of equal width would hold them all in one. Equal predictions share a bin, so there may be
  // fewer than `count`. Throws ConfigError for count below 1.
  std::vector<CalibrationBin> equal_weight(Index count) const {
    return bins(count, [&](const Sample&, double middle, double total) {
      return middle * static_cast<double>(count) / total;
    });
  }

 private:
  struct Sample {
    double probability;
    double label;
    double weight;
  };

  // position(sample, middle, total) in [0, count] says where a sample lies among the bins; `middle`
  // is the weight of what is predicted lower, with half of what is predicted the same.
  template <class Position>
  std::vector<CalibrationBin> bins(Index count, const Position& position) const {
    require_config(count >= 1, "CalibrationCurve", "count", text(count), "at least 1");
    std::vector<Sample> sorted = samples_;
    std::sort(sorted.begin(), sorted.end(),
              [](const Sample& a, const Sample& b) { return a.probability < b.probability; });
    double total = 0;
    for (const Sample& s : sorted) total += s.weight;

    std::vector<CalibrationBin> all(static_cast<std::size_t>(count));
    double lower = 0;
    for (auto first = sorted.begin(); first != sorted.end();) {
      double tied = 0;
      auto last = first;
      for (; last != sorted.end() && last->probability == first->probability; ++last)
        tied += last->weight;
      const double place = position(*first, lower + tied / 2, total);
      CalibrationBin& bin =
          all[static_cast<std::size_t>((std::min)(place, static_cast<double>(count - 1)))];
      for (; first != last; ++first) {
        bin.predicted += first->weight * first->probability;
        bin.observed += first->weight * first->label;
        bin.weight += first->weight;
      }
      lower += tied;
    }
    std::erase_if(all, [](const CalibrationBin& bin) { return bin.weight == 0; });
    for (CalibrationBin& bin : all) {
      bin.predicted /= bin.weight;
      bin.observed /= bin.weight;
    }
    return all;
  }

  std::vector<Sample> samples_;
};

// Σ weight |observed - predicted| / Σ weight: the expected calibration error (Naeini et al., AAAI
// 2015). NaN without bins.
inline double expected_calibration_error(std::span<const CalibrationBin> bins) {
  double sum = 0;
  double weight = 0;
  for (const CalibrationBin& bin : bins) {
    sum += bin.weight * std::abs(bin.observed - bin.predicted);
    weight += bin.weight;
  }
  return weight > 0 ? sum / weight : std::numeric_limits<double>::quiet_NaN();
}

// The largest |observed - predicted|. NaN without bins.
inline double largest_calibration_error(std::span<const CalibrationBin> bins) {
  double largest = bins.empty() ? std::numeric_limits<double>::quiet_NaN() : 0;
  for (const CalibrationBin& bin : bins)
    largest = (std::max)(largest, std::abs(bin.observed - bin.predicted));
  return largest;
}

}  // namespace plait
