// ExpertDropout: experts that a unit's gate does without, at random and row by row, in training.
//
//   g'_j = m_j g_j / Σ_k m_k g_k             m_j = 0 with probability `rate`, else 1
//
// which is the softmax over the experts that are kept, so that the gate's backward is what it is
// without dropout, with g' in g's place. A unit whose kept weights add up to nothing keeps all of
// its experts. Static weights stay: a native expert, a stitch.
//
// The weights of another gate, DSelect-k's, need not add up to 1. There the sum over all of them
// stays what it is, g'_j = m_j g_j Σ_k g_k / Σ_k m_k g_k, and a unit that would keep less than
// 1/256 of it keeps all: for what is nearly nothing to stand for everything, gradients would have
// to grow without bound.
//
// No expert can then be the only one that a task relies on; a gate that has committed itself to one
// expert early on finds others. m depends on seed, step, row in the batch, level and column alone:
// on no tile, lane or thread.
#pragma once
#include <cstdint>
#include <limits>

#include "plait/core/config.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/core/options.hpp"
#include "plait/core/view.hpp"

namespace plait {

// g [B, 1, n] to g', in place; `first_row` is the first of them in the batch, `first_column` tells
// units apart.
template <class Scalar>
void drop_experts(const ExpertDropout& dropout, View3<Scalar> weights, Index first_row,
                  Index first_column, bool of_softmax = true) {
  if (dropout.rate == 0) return;
  const auto of_level = CounterRandom(dropout.seed)
                            .at(static_cast<std::uint64_t>(dropout.step))
                            .at(static_cast<std::uint64_t>(dropout.level));
  for (Index b = 0; b < weights.batch(); ++b) {
    const auto of_row = of_level.at(static_cast<std::uint64_t>(first_row + b));
    const auto keeps = [&](Index j) {
      return of_row.at(static_cast<std::uint64_t>(first_column + j)).uniform() >= dropout.rate;
    };
    Scalar* const g = weights.row(b);
    Scalar kept = 0, total = 0;
    for (Index j = 0; j < weights.dim(); ++j) {
      if (keeps(j)) kept += g[j];
      total += g[j];
    }
    if (!(kept > (std::numeric_limits<Scalar>::min)())) continue;
    if (of_softmax)
      total = 1;
    else if (kept < total / 256)
      continue;
    for (Index j = 0; j < weights.dim(); ++j) g[j] = keeps(j) ? g[j] / kept * total : Scalar(0);
  }
}

}  // namespace plait
