// What a loss is: the concepts that the kinds of heads are written against, one file each.
//
// A loss is a value that holds its settings and works on the logits of one task:
//
//   loss.width()             logits per sample
//   loss.accepts(y)          may a label be y?
//   loss.label_domain()      what it must be, for the text of errors
//   loss.predict(z, out)     width() predictions from width() logits; out may be z
//
// It is computed for each sample by itself (SampleLoss), the task's loss being the mean over the
// rows that count,
//
//   loss(z, y, dz)           the loss of logits z [width] and label y; dz [width] is overwritten
//                            with its gradient, and may be null
//
// or from the rows of a group together (GroupLoss), the task's loss being Σ loss / Σ mass over the
// groups of the batch:
//
//   loss.mass(rows)          what the group is divided by: depends on labels and weights only
//   loss(rows, scale)        the group's loss; rows.dlogits, unless empty, is overwritten with its
//                            gradient times scale
#pragma once
#include <concepts>
#include <string>

#include "plait/core/config.hpp"
#include "plait/losses/group_rows.hpp"

namespace plait {

template <class L, class Scalar>
concept HeadLoss = std::copyable<L> && requires(const L& loss, const Scalar* z, Scalar* out) {
  { loss.width() } -> std::same_as<Index>;
  { loss.accepts(0.0) } -> std::same_as<bool>;
  { loss.label_domain() } -> std::same_as<std::string>;
  loss.predict(z, out);
};

template <class L, class Scalar>
concept SampleLoss = HeadLoss<L, Scalar> &&
    requires(const L& loss, const Scalar* z, Scalar y, Scalar* dz) {
  { loss(z, y, dz) } -> std::same_as<Scalar>;
};

template <class L, class Scalar>
concept GroupLoss = HeadLoss<L, Scalar> && requires(const L& loss, const GroupRows<Scalar>& rows) {
  { loss.mass(rows) } -> std::same_as<double>;
  { loss(rows, 1.0) } -> std::same_as<double>;
};

}  // namespace plait
