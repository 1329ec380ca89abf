// Mean squared error.
#pragma once
#include "plait/losses/mse.hpp"
#include "plait/metrics/sample.hpp"
#include "plait/metrics/weighted_mean.hpp"

namespace plait {

// Weighted mean of (prediction - label)². NaN without samples, which count as metrics/sample.hpp
// says; labels are finite.
class MeanSquaredError {
 public:
  void add(double prediction, double label, double weight = 1) {
    if (detail::sample_counts("MeanSquaredError", detail::any_labels, label, weight))
      mean_.add(squared_error<double>(prediction, label, nullptr), weight);
  }
  void merge(const MeanSquaredError& other) { mean_.merge(other.mean_); }
  double value() const { return mean_.value(); }

 private:
  WeightedMean mean_;
};

}  // namespace plait
