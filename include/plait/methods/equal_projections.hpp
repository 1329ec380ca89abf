// The vector on which all tasks' unit gradients have the same projection.
#pragma once
#include <cmath>

#include "plait/core/config.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/symmetric_eigen.hpp"
#include "plait/methods/unit_gramian.hpp"

namespace plait::detail {

// v = Σ_t c_t u_t,  C c = 1                       c [n], C the cosines between the unit gradients
//
// in least squares and with the least c where the gradients are dependent, c = C⁺ 1: what their
// projections are then, C c, is written to `projections` [n]. C is overwritten.
inline Numbers equal_projections(UnitGramian& unit, Numbers& projections, Scratch& scratch) {
  const Index n = unit.size();
  Numbers c = take_numbers(scratch, n);
  const Scratch::Frame frame(scratch);
  Square& vectors = unit.cosines;
  Numbers values = take_numbers(scratch, n);
  symmetric_eigen(vectors, values);
  const double least = rank_tolerance(n) * values[n - 1];
  Numbers ones = take_numbers(scratch, n);
  fill(ones, 1);
  Numbers along = take_numbers(scratch, n);
  along.noalias() = vectors.transpose() * ones;
  Numbers scaled = take_numbers(scratch, n);
  // Nor does what rounding leaves of 0 count, which a small eigenvalue would make large.
  for (Index k = 0; k < n; ++k) {
    const bool counts = values[k] > least && std::abs(along[k]) > rank_tolerance(n);
    along[k] *= counts ? 1 : 0;
    scaled[k] = along[k] * (counts ? 1 / values[k] : 0);
  }
  multiply(vectors, along, projections);
  multiply(vectors, scaled, c);
  return c;
}

}  // namespace plait::detail
