// Mean squared error.
#pragma once
#include "plait/losses/mse.hpp"
#include "plait/metrics/weighted_mean.hpp"

namespace plait {

// Weighted mean of (prediction - label)². NaN without samples.
class MeanSquaredError {
 public:
  void add(double prediction, double label, double weight = 1) {
    mean_.add(squared_error<double>(prediction, label, nullptr), weight);
  }
  void merge(const MeanSquaredError& other) { mean_.merge(other.mean_); }
  double value() const { return mean_.value(); }

 private:
  WeightedMean mean_;
};

}  // namespace plait
