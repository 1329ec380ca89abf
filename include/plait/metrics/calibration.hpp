// Calibration: predicted over observed positives.
#pragma once
#include <limits>

namespace plait {

// Σ w p / Σ w y; 1 is ideal, above it the model promises too much. NaN without positive labels.
class Calibration {
 public:
  void add(double probability, double label, double weight = 1) {
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
