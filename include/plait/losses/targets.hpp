// Targets: the labels of a batch, which of them are valid, and what each sample counts.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/view.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/losses/head.hpp"
#include "plait/losses/row_weights.hpp"

namespace plait {

// Views of a batch's targets; the numbers belong to the caller. K is the number of label columns:
// one per task, but none for tasks that read those of another (Head::labels_of).
template <class Scalar>
struct Targets {
  ViewArgument<const Scalar> labels;        // [batch, 1, K], each in the domain of its head's loss
  ViewArgument<const Scalar> mask = {};     // [batch, 1, K], 1 valid, 0 not; empty: all valid
  ViewArgument<const Scalar> weights = {};  // [batch, 1, 1], of the samples; empty: all 1

  // [batch, 1, K], 1 where the row is inside the task's sample space, 0 where it is outside, such
  // as a row without a click for a purchase; empty: all inside. See Head::in_space.
  ViewArgument<const Scalar> space = {};

  // [batch], which rows belong together (a query, a session), for losses that compare rows. They do
  // not decrease: the rows of a group lie side by side.
  std::span<const std::int64_t> groups = {};

  Targets rows(Index first, Index count) const {
    const auto cut = [&](View3<const Scalar> view) {
      return view ? view.rows(first, count) : view;
    };
    return {labels.rows(first, count), cut(mask), cut(weights), cut(space),
            groups.empty()
                ? groups
                : groups.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count))};
  }

  // What the rows count for the head whose labels are in this column.
  RowWeights<Scalar> row_weights(const Head& head, Index column) const {
    const auto of_column = [&](View3<const Scalar> view) {
      return view ? view.columns(column, 1) : view;
    };
    return {of_column(mask), weights, of_column(space), head.in_space, head.out_of_space};
  }
};

// Calls visit(first, count) for every group of neighbouring rows with equal ids.
template <class Visit>
void for_each_group(std::span<const std::int64_t> groups, const Visit& visit) {
  const Index batch = std::ssize(groups);
  for (Index first = 0, last = 0; first < batch; first = last) {
    while (last < batch &&
           groups[static_cast<std::size_t>(last)] == groups[static_cast<std::size_t>(first)])
      ++last;
    visit(first, last - first);
  }
}

namespace detail {

template <class Scalar>
void require_shape(const std::string& where, const char* argument, View3<const Scalar> view,
                   Index batch, Index dim) {
  if (view.batch() != batch || view.slots() != 1 || view.dim() != dim)
    throw ShapeError(where, argument,
                     text("[", view.batch(), ", ", view.slots(), ", ", view.dim(), "]"),
                     text("[", batch, ", 1, ", dim, "]"));
}

// 0 or 1 everywhere.
template <class Scalar>
void require_flags(const std::string& where, const char* argument, std::span<const Head> heads,
                   View3<const Scalar> flags) {
  for (Index b = 0; b < flags.batch(); ++b)
    for (Index k = 0; k < flags.dim(); ++k) {
      const Scalar flag = flags.row(b)[k];
      if (flag != 0 && flag != 1)
        throw ValueError(where,
                         text(argument, " of row ", b, ", ", shown(task_name(heads, k), 100)),
                         text(flag), "0 or 1");
    }
}

}  // namespace detail

// Throws, in the name of `where`, unless the targets fit the heads and the batch: ShapeError for
// shapes; ValueError for a mask or a sample space other than 0 and 1, a weight that is negative or
// not finite, groups that decrease where a head needs them, and a label that counts and is outside
// its head's domain. Labels that are masked out, or outside of a sample space beyond which nothing
// counts, may be anything, NaN included.
template <class Scalar>
void check_targets(const std::string& where, std::span<const Head> heads,
                   const Targets<Scalar>& targets, Index batch) {
  const Index columns = num_label_columns(heads);
  detail::require_shape(where, "labels", targets.labels, batch, columns);
  if (targets.mask) detail::require_shape(where, "mask", targets.mask, batch, columns);
  if (targets.weights) detail::require_shape(where, "weights", targets.weights, batch, 1);
  if (targets.space) detail::require_shape(where, "space", targets.space, batch, columns);
  const bool grouped = needs_groups(heads);
  const auto& groups = targets.groups;
  if ((grouped || !groups.empty()) && std::ssize(groups) != batch)
    throw ShapeError(where, "groups", text(groups.size(), " ids"), text(batch, ", one per row"));

  for (std::size_t b = 1; grouped && b < groups.size(); ++b)
    if (groups[b] < groups[b - 1])
      throw ValueError(where, text("group of row ", b), text(groups[b], " after ", groups[b - 1]),
                       "ids that do not decrease");
  for (Index b = 0; targets.weights && b < batch; ++b) {
    const Scalar w = *targets.weights.row(b);
    if (!(std::isfinite(w) && w >= 0))
      throw ValueError(where, text("weight of row ", b), text(w), "a finite number of at least 0");
  }
  if (targets.mask) detail::require_flags(where, "mask", heads, targets.mask);
  if (targets.space) detail::require_flags(where, "space", heads, targets.space);

  for (Index t = 0; t < std::ssize(heads); ++t) {
    const Head& head = heads[static_cast<std::size_t>(t)];
    const Index column = label_column(heads, t);
    RowWeights<Scalar> counts = targets.row_weights(head, column);
    counts.weights = {};  // a label of a sample of weight 0 is still a label
    const Index refused = with_loss(head, [&](const auto& loss) {
      Index b = 0;
      while (b < batch &&
             (counts[b] == 0 || loss.accepts(static_cast<double>(targets.labels.row(b)[column]))))
        ++b;
      return b;
    });
    if (refused < batch)
      throw ValueError(where, text("label of row ", refused, ", ", shown(task_name(heads, t), 100)),
                       text(targets.labels.row(refused)[column]),
                       with_loss(head, [](const auto& loss) { return loss.label_domain(); }));
  }
}

}  // namespace plait
