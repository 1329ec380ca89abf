// Targets: the labels of a batch, which of them are valid, and what each sample counts.
#pragma once
#include <cmath>
#include <span>
#include <string>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/view.hpp"
#include "plait/losses/head.hpp"

namespace plait {

// Views of a batch's targets; the numbers belong to the caller. T is the number of tasks.
template <class Scalar>
struct Targets {
  View3<const Scalar> labels;        // [batch, 1, T]; a multiclass label is the class's index
  View3<const Scalar> mask = {};     // [batch, 1, T], 1 valid, 0 not; empty: all valid
  View3<const Scalar> weights = {};  // [batch, 1, 1], of the samples; empty: all 1

  Targets rows(Index first, Index count) const {
    return {labels.rows(first, count), mask ? mask.rows(first, count) : mask,
            weights ? weights.rows(first, count) : weights};
  }

  bool valid(Index b, Index t) const { return !mask || mask.row(b)[t] != 0; }

  // What task t's label of sample b counts: 0 where it is not valid.
  double weight(Index b, Index t) const {
    if (!valid(b, t)) return 0;
    return weights ? static_cast<double>(*weights.row(b)) : 1.0;
  }
};

namespace detail {

template <class Scalar>
void require_shape(const std::string& where, const char* argument, View3<const Scalar> view,
                   Index batch, Index dim) {
  if (view.batch() != batch || view.slots() != 1 || view.dim() != dim)
    throw ShapeError(where, argument,
                     text("[", view.batch(), ", ", view.slots(), ", ", view.dim(), "]"),
                     text("[", batch, ", 1, ", dim, "]"));
}

// What a valid label of the head must be, or null when y is such a label.
template <class Scalar>
const char* expected_label(const Head& head, Scalar y) {
  switch (head.kind) {
    case HeadKind::binary:
      return y >= 0 && y <= 1 ? nullptr : "a number in [0, 1]";
    case HeadKind::regression:
      return std::isfinite(y) ? nullptr : "a finite number";
    case HeadKind::multiclass:
      return y >= 0 && y < static_cast<Scalar>(head.classes) && y == std::floor(y)
                 ? nullptr
                 : "the index of a class";
  }
  return nullptr;
}

}  // namespace detail

// Throws, in the name of `where`, unless the targets fit the heads and the batch: ShapeError for
// shapes; ValueError for a mask other than 0 and 1, a weight that is negative or not finite, and a
// valid label outside its head's domain (soft binary labels are inside). Labels that are masked out
// may be anything, NaN included.
template <class Scalar>
void check_targets(const std::string& where, std::span<const Head> heads,
                   const Targets<Scalar>& targets, Index batch) {
  const Index tasks = std::ssize(heads);
  detail::require_shape(where, "labels", targets.labels, batch, tasks);
  if (targets.mask) detail::require_shape(where, "mask", targets.mask, batch, tasks);
  if (targets.weights) detail::require_shape(where, "weights", targets.weights, batch, 1);

  for (Index b = 0; b < batch; ++b) {
    if (targets.weights) {
      const Scalar w = *targets.weights.row(b);
      if (!(std::isfinite(w) && w >= 0))
        throw ValueError(where, text("weight of row ", b), text(w),
                         "a finite number of at least 0");
    }
    for (Index t = 0; t < tasks; ++t) {
      if (targets.mask) {
        const Scalar m = targets.mask.row(b)[t];
        if (m != 0 && m != 1)
          throw ValueError(where, text("mask of row ", b, ", ", task_name(heads, t)), text(m),
                           "0 or 1");
      }
      if (!targets.valid(b, t)) continue;
      const Head& head = heads[static_cast<std::size_t>(t)];
      const Scalar y = targets.labels.row(b)[t];
      if (const char* expected = detail::expected_label(head, y))
        throw ValueError(
            where, text("label of row ", b, ", ", task_name(heads, t)), text(y),
            head.kind == HeadKind::multiclass ? text(expected, " below ", head.classes) : expected);
    }
  }
}

}  // namespace plait
