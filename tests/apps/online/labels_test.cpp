#include "labels.hpp"

#include <set>

#include "support/catch.hpp"

using namespace online;

namespace {

// Rows that are all different; a row's label says which it is.
Impressions numbered(Index rows, Index first) {
  Impressions result{plait::Matrix<float>(rows, 2), plait::Matrix<float>(rows, 1)};
  for (Index b = 0; b < rows; ++b) {
    result.x.row(b).setConstant(static_cast<float>(first + b));
    result.labels(b, 0) = static_cast<float>(first + b);
  }
  return result;
}

}  // namespace

TEST_CASE("labels come once, with their rows, after 1 to the longest number of rounds") {
  constexpr Index longest = 3;
  DelayedLabels labels(longest, 1);
  std::set<float> seen;
  std::set<Index> delays;
  for (Index round = 0; round < 20; ++round) {
    const Impressions arrived = labels.arrived(round);
    for (Index i = 0; i < arrived.x.rows(); ++i) {
      const float number = arrived.labels(i, 0);
      CHECK(arrived.x(i, 0) == number);
      CHECK(seen.insert(number).second);
      delays.insert(round - static_cast<Index>(number) / 50);
    }
    if (round < 10) labels.add(round, numbered(50, 50 * round));
  }
  CHECK(seen.size() == 500);
  CHECK(delays == std::set<Index>{1, 2, 3});
}
