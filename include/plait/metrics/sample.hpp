// Which samples count in a metric: one rule for all of them.
//
// A sample of weight 0 counts nothing, whatever its prediction and label, NaN included. Of any
// other the weight must be a finite number above 0 and the label in the metric's domain; a
// ValueError is thrown, before anything is added, where they are not. A prediction of NaN makes the
// metric NaN.
#pragma once
#include <limits>
#include <string_view>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"

namespace plait::detail {

// What labels may be.
struct LabelDomain {
  double least;
  double most;
  const char* words;
};
inline constexpr double largest_number = (std::numeric_limits<double>::max)();
inline constexpr LabelDomain event_labels{0, 1, "a number in [0, 1]"};
inline constexpr LabelDomain value_labels{0, largest_number, "a finite number of at least 0"};
inline constexpr LabelDomain any_labels{-largest_number, largest_number, "a finite number"};

[[noreturn]] PLAIT_COLD inline void refuse_sample(std::string_view metric, const char* argument,
                                                  double got, const char* expected) {
  throw ValueError(metric, argument, text(got), expected);
}

// True when a sample of this weight counts.
inline bool weight_counts(std::string_view metric, double weight) {
  if (weight == 0) return false;
  if (!(weight > 0 && weight <= largest_number))
    refuse_sample(metric, "weight", weight, "a finite number of at least 0");
  return true;
}

// The same for a sample with a label.
inline bool sample_counts(std::string_view metric, const LabelDomain& domain, double label,
                          double weight) {
  if (!weight_counts(metric, weight)) return false;
  if (!(label >= domain.least && label <= domain.most))
    refuse_sample(metric, "label", label, domain.words);
  return true;
}

}  // namespace plait::detail
