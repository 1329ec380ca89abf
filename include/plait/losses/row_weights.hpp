// RowWeights: what every row of a batch counts for one task.
#pragma once
#include "plait/core/config.hpp"
#include "plait/core/view.hpp"

namespace plait {

// Views on one task's columns; the numbers belong to the caller. A label is valid or missing
// (mask); a row is inside the task's sample space or outside of it (space: was there a click,
// without which there can be no purchase?), and counts differently in the two.
template <class Scalar>
struct RowWeights {
  View3<const Scalar> mask = {};     // [n, 1, 1], 1 valid, 0 not; empty: all valid
  View3<const Scalar> weights = {};  // [n, 1, 1], of the samples; empty: all 1
  View3<const Scalar> space = {};    // [n, 1, 1], 1 inside, 0 outside; empty: all inside
  double in_space = 1;
  double out_of_space = 0;

  // 0: the row does not count.
  double operator[](Index b) const {
    if (mask && *mask.row(b) == 0) return 0;
    const double place = !space || *space.row(b) != 0 ? in_space : out_of_space;
    return weights ? place * static_cast<double>(*weights.row(b)) : place;
  }

  RowWeights rows(Index first, Index count) const {
    const auto cut = [&](View3<const Scalar> view) {
      return view ? view.rows(first, count) : view;
    };
    return {cut(mask), cut(weights), cut(space), in_space, out_of_space};
  }
};

}  // namespace plait
