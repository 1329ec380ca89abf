// Whose the experts and units of a plan are, as far as its routes tell.
#pragma once
#include <vector>

#include "plait/core/view.hpp"
#include "plait/fusion/route.hpp"

namespace svg {

using plait::Index;

// A task, from 0, or nobody: shared, or not told.
inline constexpr Index nobody = -1;

struct LevelOwners {
  std::vector<Index> experts;
  std::vector<Index> units;
};

// By level, read from the last one down:
//
//   a unit of the last level    is its task's
//   a unit below                is that of the experts which read it, if they are of one task
//   an expert                   is that of the unit which weighs it by static weights, if there is
//                               one such unit alone (native experts); otherwise that of the tasks'
//                               units which weigh it, if they are of one task
//   of a stitch                 expert i is that of unit i
//
// Units that an expert does not learn from (stop-gradients) do not count. A stitch is a level whose
// units have static weights alone and weigh every expert, of which there are as many. Throws
// std::out_of_range for routes that lead nowhere.
std::vector<LevelOwners> owners_of(const plait::Plan& plan);

}  // namespace svg
