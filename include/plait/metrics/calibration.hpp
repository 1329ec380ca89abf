// Calibration: predicted over observed positives.
#pragma once
#include <limits>

#include "plait/metrics/sample.hpp"

namespace plait {

// Σ w p / Σ w y; 1 is ideal, above it the model promises too much. NaN without positive labels. p
// and y may be a value that is expected instead of a probability. Samples count as
// metrics/sample.hpp says; labels are at least 0.
class Calibration {
 public:
  void add(double probability, double label, double weight = 1) {
    if (!detail::sample_counts("Calibration", detail::value_labels, label, weight)) return;
    predicted_ += weight * probability;
    observed_ += weight * label;
  }
  void merge(const Calibration& other) {
    predicted_ += other.predicted_;
    observed_ += other.observed_;
  }
  double value() const {
    return observed_ > 0 ? predicted_ / observed_ : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  double predicted_ = 0;
  double observed_ = 0;
};

}  // namespace plait
