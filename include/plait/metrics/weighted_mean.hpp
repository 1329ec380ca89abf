// WeightedMean: the accumulator behind every metric that is a mean over samples.
#pragma once
#include <limits>

namespace plait {

// Σ w x / Σ w in double. NaN without a sample of positive weight.
class WeightedMean {
 public:
  void add(double x, double weight = 1) {
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
