// A head of every kind, and random batches for them.
#pragma once
#include <cstdint>
#include <vector>

#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"
#include "plait/losses/head.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "plait/losses/targets.hpp"

namespace every_kind {

using plait::Head;
using plait::HeadKind;
using plait::Index;

// Settings and task weights away from their defaults. Tasks 1 and 2 are a chain on task 0; the last
// one reads the labels of task 0.
inline std::vector<Head> heads() {
  return {{.pos_weight = 2.5, .weight = 0.7, .name = "click"},
          {.kind = HeadKind::conditional, .pos_weight = 1.5, .given = 0, .name = "like"},
          {.kind = HeadKind::conditional, .given = 1, .weight = 0.8, .name = "share"},
          {.kind = HeadKind::focal, .pos_weight = 3, .gamma = 1.5, .weight = 1.1, .name = "focal"},
          {.kind = HeadKind::regression, .weight = 1.3, .name = "watch"},
          {.kind = HeadKind::huber, .delta = 0.8, .weight = 0.9, .name = "huber"},
          {.kind = HeadKind::ziln, .weight = 0.6, .name = "spend"},
          {.kind = HeadKind::multiclass, .classes = 3, .weight = 1.2, .name = "topic"},
          {.kind = HeadKind::ordinal, .classes = 4, .weight = 0.5, .name = "stars"},
          {.kind = HeadKind::pairwise, .weight = 1.4, .name = "pairs"},
          {.kind = HeadKind::listwise, .weight = 0.3, .name = "list"},
          {.kind = HeadKind::jrc, .alpha = 0.6, .labels_of = 0, .weight = 1.7, .name = "jrc"}};
}

// A label in the domain of the kind.
inline double label(HeadKind kind, plait::Random& random) {
  switch (kind) {
    case HeadKind::regression:
    case HeadKind::huber:
      return random.normal();
    case HeadKind::ziln:
      return random.below(2) == 0 ? 0 : 20 * random.uniform();
    case HeadKind::multiclass:
    case HeadKind::ordinal:
    case HeadKind::pairwise:
    case HeadKind::listwise:
      return static_cast<double>(random.below(3));
    default:
      return static_cast<double>(random.below(2));
  }
}

// Groups of 1 to 6 rows; about a third of the labels missing and of the rows out of space.
template <class Scalar>
struct Batch {
  plait::MultiTaskLoss<Scalar> loss{heads()};
  Index tasks = loss.num_tasks();
  Index columns = plait::num_label_columns(loss.heads());
  plait::Tensor<Scalar> logits, labels, mask, weights, space;
  std::vector<std::int64_t> groups;

  explicit Batch(Index rows, std::uint64_t seed = 11)
      : logits(rows, 1, loss.width()),
        labels(rows, 1, columns),
        mask(rows, 1, columns),
        weights(rows, 1, 1),
        space(rows, 1, columns) {
    plait::Random random(seed);
    std::int64_t group = -3;
    for (Index b = 0, left = 0; b < rows; ++b, --left) {
      for (Index c = 0; c < loss.width(); ++c)
        logits.view()(b, 0, c) = static_cast<Scalar>(2 * random.normal());
      for (Index k = 0; k < columns; ++k) {
        const HeadKind kind = loss.heads()[static_cast<std::size_t>(k)].kind;
        labels.view()(b, 0, k) = static_cast<Scalar>(label(kind, random));
        mask.view()(b, 0, k) = random.uniform() < 0.7 ? 1 : 0;
        space.view()(b, 0, k) = random.uniform() < 0.7 ? 1 : 0;
      }
      weights.view()(b, 0, 0) = static_cast<Scalar>(0.2 + random.uniform());
      if (left == 0) {
        group += 1 + random.below(5);
        left = 1 + random.below(6);
      }
      groups.push_back(group);
    }
  }

  // Without sample spaces.
  plait::Targets<Scalar> targets() const { return {labels, mask, weights, {}, groups}; }
};

template <class Scalar>
bool all_zero(const plait::Tensor<Scalar>& tensor) {
  return (tensor.view().of_slot(0).array() == Scalar(0)).all();
}

}  // namespace every_kind
