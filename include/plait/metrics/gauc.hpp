// Area under the ROC curve within groups (users, queries), averaged over the groups.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "plait/metrics/auc.hpp"
#include "plait/metrics/sample.hpp"

namespace plait {

// What a group counts in the mean.
enum class GroupWeights {
  impressions,  // the sum of its samples' weights (Zhou et al., DIN, KDD 2018, eq. 9)
  equal,        // 1
};

// GAUC = Σ_g n_g AUC_g / Σ_g n_g over the groups that have both classes; the others have no AUC and
// count nothing. Unlike AUC it compares no samples of different groups, as a ranking never does.
// Samples come in any order, and a group's may come in several batches. Keeps every sample (32
// bytes each). Samples count as metrics/sample.hpp says; labels are in [0, 1].
class GAUC {
 public:
  void add(std::int64_t group, double score, double label, double weight = 1) {
    if (detail::sample_counts("GAUC", detail::event_labels, label, weight))
      samples_.push_back({group, score, weight * label, weight * (1 - label)});
  }
  // As if the other's samples had been added here.
  void merge(const GAUC& other) {
    samples_.insert(samples_.end(), other.samples_.begin(), other.samples_.end());
  }

  // NaN when no group has both classes, or a score is NaN. Sorts a copy: O(n log n).
  double value(GroupWeights weights = GroupWeights::impressions) const {
    constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
    std::vector<Sample> sorted = samples_;
    for (const Sample& s : sorted)
      if (std::isnan(s.score)) return undefined;
    std::sort(sorted.begin(), sorted.end(), [](const Sample& a, const Sample& b) {
      return a.group != b.group ? a.group < b.group : a.score < b.score;
    });

    double sum = 0;
    double total = 0;
    for (auto first = sorted.begin(); first != sorted.end();) {
      double impressions = 0;
      auto last = first;
      for (; last != sorted.end() && last->group == first->group; ++last)
        impressions += last->positive + last->negative;
      const double auc = detail::area_under_curve(first, last);
      first = last;
      if (std::isnan(auc)) continue;
      const double weight = weights == GroupWeights::equal ? 1 : impressions;
      sum += weight * auc;
      total += weight;
    }
    return total > 0 ? sum / total : undefined;
  }

 private:
  struct Sample {
    std::int64_t group;
    double score;
    double positive;
    double negative;
  };
  std::vector<Sample> samples_;
};

}  // namespace plait
