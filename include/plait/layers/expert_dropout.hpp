// ExpertDropout: experts that a unit's gate does without, at random and row by row, in training.
//
//   g'_j = m_j g_j / Σ_k m_k g_k             m_j = 0 with probability `rate`, else 1
//
// which is the softmax over the experts that are kept, so that the gate's backward is what it is
// without dropout, with g' in g's place. A unit whose kept weights add up to nothing keeps all of
// its experts. Static weights stay: a native expert, a stitch.
//
// No expert can then be the only one that a task relies on; a gate that has committed itself to one
// expert early on finds others. m depends on seed, step, row in the batch, level and column alone:
// on no tile, lane or thread.
#pragma once
#include <cstdint>
#include <limits>
#include <tuple>

#include "plait/core/config.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/core/view.hpp"

namespace plait {

// A part of a workspace; as constructed, nothing is dropped.
struct ExpertDropout {
  double rate = 0;  // in [0, 1)
  std::uint64_t seed = 0;
  Index step = 0;
  Index level = 0;
  Index first_row = 0;  // of the batch, in a forward pass over some of its rows

  // g [B, 1, n] to g', in place; `first_column` tells units apart.
  template <class Scalar>
  void apply(View3<Scalar> weights, Index first_column) const {
    if (rate == 0) return;
    const auto of_level = CounterRandom(seed)
                              .at(static_cast<std::uint64_t>(step))
                              .at(static_cast<std::uint64_t>(level));
    for (Index b = 0; b < weights.batch(); ++b) {
      const auto of_row = of_level.at(static_cast<std::uint64_t>(first_row + b));
      const auto keeps = [&](Index j) {
        return of_row.at(static_cast<std::uint64_t>(first_column + j)).uniform() >= rate;
      };
      Scalar* const g = weights.row(b);
      Scalar kept = 0;
      for (Index j = 0; j < weights.dim(); ++j)
        if (keeps(j)) kept += g[j];
      if (!(kept > std::numeric_limits<Scalar>::min())) continue;
      for (Index j = 0; j < weights.dim(); ++j) g[j] = keeps(j) ? g[j] / kept : Scalar(0);
    }
  }
};

// Sets it for the forward passes that follow, in the workspace of a network: of a FusionStack,
// which numbers the levels itself, or of a Sequential of layers. False when there is no place for
// it.
template <class Workspace>
bool set_expert_dropout(Workspace& workspace, const ExpertDropout& dropout) {
  if constexpr (requires { workspace.dropout = dropout; }) {
    workspace.dropout = dropout;
    return true;
  } else if constexpr (requires { std::tuple_size<decltype(workspace.layers)>::value; }) {
    return std::apply(
        [&](auto&... layers) {
          bool any = false;
          ((any = set_expert_dropout(layers, dropout) || any), ...);
          return any;
        },
        workspace.layers);
  } else {
    return false;
  }
}

}  // namespace plait
