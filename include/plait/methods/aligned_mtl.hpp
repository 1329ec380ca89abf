// Aligned-MTL: independent component alignment (Senushkin et al., CVPR 2023, algorithm 1).
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/fields.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/per_task.hpp"
#include "plait/methods/symmetric_eigen.hpp"
#include "plait/methods/unit_gramian.hpp"

namespace plait {

PLAIT_INTRINSICS_BEGIN

// The common squared singular value that the gradients are given.
enum class AlignedScale { min, median, mean };  // of the eigenvalues of M that are not zero
template <>
struct EnumNames<AlignedScale> {
  static constexpr std::array<std::string_view, 3> names{"min", "median", "mean"};
};

// The gradients are replaced by their closest system with equal singular values, √s, and summed
// with the weights p:
//
//   α = √s V Λ^(-1/2) Vᵀ p,  M = V Λ Vᵀ
//
// Eigenvalues that rounding left of zero, up to 4 T epsilon of the largest, are zero: their
// directions are left out (parallel gradients share one direction, opposite ones cancel). Without
// any gradient, α = 0. The median of an even number is the lower of the two in the middle, as in
// the authors' code.
struct AlignedMTL {
  AlignedScale scale = AlignedScale::min;
  // p [T], ones for a sum; empty: a mean, 1/T for each of T tasks with a gradient.
  std::vector<double> preferences = {};

  static constexpr std::string_view name = "AlignedMTL";
  static constexpr bool needs_gramian = true;

  void fields(FieldVisitor& visit) {
    visit("scale", scale);
    visit("preferences", preferences);
  }

  // Throws ConfigError for preferences that are not one finite number of at least 0 per task, and
  // for one that float cannot hold.
  void validate(Index tasks) const {
    detail::validate_factors("AlignedMTL", "preferences", preferences, tasks);
  }

  void weights(const BalancingInput& input, MethodState&, std::span<double> out,
               Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const Index tasks = input.tasks;
    detail::Square vectors = detail::take_copy(input.gramian, scratch);
    detail::Numbers values = detail::take_numbers(scratch, tasks);
    detail::symmetric_eigen(vectors, values);
    const double largest = values[tasks - 1];
    if (!(largest > 0)) return std::fill(out.begin(), out.end(), 0.0);
    Index rank = 0;
    const double least = detail::rank_tolerance(tasks) * largest;
    while (rank < tasks && values[tasks - 1 - rank] > least) ++rank;
    Index present = 0;
    for (Index t = 0; t < tasks; ++t) present += input.gramian(t, t) > 0 ? 1 : 0;

    detail::Numbers p = detail::take_numbers(scratch, tasks);
    for (Index t = 0; t < tasks; ++t)
      p[t] = detail::per_task(preferences, t, 1 / static_cast<double>(present));
    detail::Numbers kept = detail::take_numbers(scratch, rank);
    for (Index k = 0; k < rank; ++k) kept[k] = values[tasks - rank + k];
    const double length = std::sqrt(common(kept));
    detail::Numbers along = detail::take_numbers(scratch, rank);
    along.noalias() = vectors.rightCols(rank).transpose() * p;
    for (Index k = 0; k < rank; ++k) along[k] /= std::sqrt(kept[k]);
    detail::Numbers alpha = detail::take_numbers(scratch, tasks);
    alpha.noalias() = length * (vectors.rightCols(rank) * along);
    detail::copy(alpha, out);
  }

 private:
  double common(const detail::Numbers& ascending) const {
    switch (scale) {
      case AlignedScale::median:
        return ascending[(ascending.size() - 1) / 2];
      case AlignedScale::mean:
        return detail::sum(ascending) / static_cast<double>(ascending.size());
      case AlignedScale::min:
        break;
    }
    return ascending[0];
  }
};

static_assert(BalancingMethod<AlignedMTL>);

PLAIT_INTRINSICS_END

}  // namespace plait
