// Pair accuracy: how often a ranking orders two rows of a group as their labels do.
#pragma once
#include "plait/core/config.hpp"
#include "plait/losses/group_rows.hpp"
#include "plait/metrics/weighted_mean.hpp"

namespace plait {

// The weighted share of the pairs of rows of one group, with different labels, of which the row
// with the larger label has the larger score, equal scores counting half. A pair's weight is the
// product of its rows'. What PairwiseLoss is a smooth bound of. NaN without a pair.
class PairAccuracy {
 public:
  // One group; takes O(n²) time.
  template <class Scalar>
  void add(const GroupRows<Scalar>& rows) {
    for (Index i = 0; i < rows.size(); ++i)
      for (Index j = 0; j < rows.size(); ++j) {
        const double weight = rows.weight(i) * rows.weight(j);
        if (weight == 0 || !(rows.label(i) > rows.label(j))) continue;
        const double difference = rows.logit(i) - rows.logit(j);
        mean_.add(difference > 0    ? 1
                  : difference == 0 ? 0.5
                  : difference < 0  ? 0
                                    : difference,
                  weight);
      }
  }
  void merge(const PairAccuracy& other) { mean_.merge(other.mean_); }
  double value() const { return mean_.value(); }

 private:
  WeightedMean mean_;
};

}  // namespace plait
