// Zipf's law: id r of n, from 0 on, is drawn with probability (1 / (r + 1)) / (1 + 1/2 + ... +
// 1/n).
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/random.hpp"

namespace ranker {

class Zipf {
 public:
  explicit Zipf(plait::Index ids) {
    double sum = 0;
    for (plait::Index id = 0; id < ids; ++id)
      cumulative_.push_back(sum += 1 / static_cast<double>(id + 1));
  }

  plait::Index draw(plait::Random& random) const {
    const double at = random.uniform() * cumulative_.back();
    const auto found = std::ranges::upper_bound(cumulative_, at);
    return std::min(found - cumulative_.begin(), std::ssize(cumulative_) - 1);
  }

 private:
  std::vector<double> cumulative_;
};

}  // namespace ranker
