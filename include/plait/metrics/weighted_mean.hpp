// WeightedMean: the accumulator behind every metric that is a mean over samples.
#pragma once
#include <limits>

#include "plait/metrics/sample.hpp"

namespace plait {

// Σ w x / Σ w in double; NaN without a sample. Samples count as metrics/sample.hpp says.
class WeightedMean {
 public:
  void add(double x, double weight = 1) {
    if (!detail::weight_counts("WeightedMean", weight)) return;
    sum_ += weight * x;
    weight_ += weight;
  }
  void merge(const WeightedMean& other) {
    sum_ += other.sum_;
    weight_ += other.weight_;
  }

  double sum() const { return sum_; }
  double weight() const { return weight_; }
  double value() const {
    return weight_ > 0 ? sum_ / weight_ : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  double sum_ = 0;
  double weight_ = 0;
};

}  // namespace plait
