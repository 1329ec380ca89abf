// A stream of clicks that is made up: users and items by Zipf's law, labels from planted tastes.
//
// User u and item i have affinities w_0 and w_1 of two factors each, items' mostly those of their
// category, all with a mean, so that some of an affinity is in the user and in the item alone:
//   w_g = sum_j ((u_gj + m) (v_gj + m) - m^2) / sqrt(2 (1 + 2 m^2))
// The tasks share w_0 and disagree about w_1; an hour is good or bad for a category by a cosine h:
//   click   w_0 + w_1 + 0.3 b_i    + N(0, 0.5^2)    the largest 30 %
//   dwell   w_0 - w_1 + 0.5 h      + N(0, 0.5^2)
//   buy     w_0 - w_1 / 2 + h / 2  + N(0, 3^2)      the largest 3 %
// So the rare and noisy buy gains from what click and dwell teach, and a network that is one for
// all of them has to hold both signs of w_1 at once.
#pragma once
#include <cstdint>
#include <vector>

#include "plait/core/config.hpp"

namespace ranker {

using plait::Index;

struct StreamConfig {
  Index users = 2000;
  Index items = 5000;
  Index train_rows = 24000;
  Index validation_rows = 6000;
  Index test_rows = 12000;
  std::uint64_t seed = 1;

  Index rows() const { return train_rows + validation_rows + test_rows; }
};

struct StreamRow {
  Index user = 0;
  Index item = 0;
  Index category = 0;
  Index hour = 0;                   // of the day
  double price = 0;                 // the item's
  std::vector<Index> history = {};  // the last items that the user clicked, at most eight
  bool click = false;
  double dwell = 0;
  bool buy = false;
};

// First those that train, then those that validate, then those that test.
std::vector<StreamRow> click_stream(const StreamConfig& config);

}  // namespace ranker
