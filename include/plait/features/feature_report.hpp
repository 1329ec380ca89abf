// What the fitted rows had in a feature, as data.
#pragma once
#include <string>

#include "plait/core/config.hpp"
#include "plait/core/fields.hpp"

namespace plait {

struct FeatureReport {
  std::string name;
  Index rows = 0;     // that were fitted
  Index missing = 0;  // rows without a value
  Index empty = 0;    // rows with a bag without ids
  Index ids = 0;      // of all rows, missing ones aside
  // Of ids. Different values, and the different rows that these take, row 0 aside.
  Index distinct = 0;
  Index kept = 0;
  // Vocabulary: ids of values without a row of their own, which train row 0. None: the row is never
  // trained, and unknown values add nothing to a score.
  Index unknown = 0;
  // Hash: values that share their row with an earlier one of the feature.
  Index collisions = 0;

  static double share(Index part, Index whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
  }
  double missing_share() const { return share(missing, rows); }
  double empty_share() const { return share(empty, rows); }
  double unknown_share() const { return share(unknown, ids); }

  bool operator==(const FeatureReport&) const = default;
  void fields(FieldVisitor& visit) {
    visit("name", name);
    visit("rows", rows);
    visit("missing", missing);
    visit("empty", empty);
    visit("ids", ids);
    visit("distinct", distinct);
    visit("kept", kept);
    visit("unknown", unknown);
    visit("collisions", collisions);
  }
};

}  // namespace plait
