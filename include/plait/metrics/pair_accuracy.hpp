// Pair accuracy: how often a ranking orders two rows of a group as their labels do.
#pragma once
#include <limits>

#include "plait/core/config.hpp"
#include "plait/losses/group_rows.hpp"
#include "plait/metrics/sample.hpp"
#include "plait/metrics/weighted_mean.hpp"

namespace plait {

// The weighted share of the pairs of rows of one group, with different labels, of which the row
// with the larger label has the larger score, equal scores counting half. A pair's weight is the
// product of its rows'. What PairwiseLoss is a smooth bound of. NaN without a pair. Rows count as
// metrics/sample.hpp says; labels are finite, scores may be infinite.
class PairAccuracy {
 public:
  // One group; takes O(n²) time.
  template <class Scalar>
  void add(const GroupRows<Scalar>& rows) {
    for (Index i = 0; i < rows.size(); ++i)
      detail::sample_counts("PairAccuracy", detail::any_labels, rows.label(i), rows.weight(i));
    WeightedMean sum = mean_;
    for (Index i = 0; i < rows.size(); ++i)
      for (Index j = 0; j < rows.size(); ++j) {
        const double weight = rows.weight(i) * rows.weight(j);
        if (weight == 0 || !(rows.label(i) > rows.label(j))) continue;
        const double better = rows.logit(i);
        const double worse = rows.logit(j);
        sum.add(better > worse    ? 1
                : better == worse ? 0.5
                : better < worse  ? 0
                                  : std::numeric_limits<double>::quiet_NaN(),
                weight);
      }
    mean_ = sum;
  }
  void merge(const PairAccuracy& other) { mean_.merge(other.mean_); }
  double value() const { return mean_.value(); }

 private:
  WeightedMean mean_;
};

}  // namespace plait
