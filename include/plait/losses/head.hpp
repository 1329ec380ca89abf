// Head: what one task predicts, how its loss is computed, and how its logits become predictions.
//
// The logits of all tasks lie side by side in one [batch, 1, C]: task t owns width() columns from
// its offset on.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/kernels/softmax.hpp"

namespace plait {

enum class HeadKind {
  binary,      // one logit, binary cross-entropy, predicts σ(z)
  regression,  // one number, squared error, predicts itself
  multiclass,  // one logit per class, softmax cross-entropy, predicts softmax(z)
};

struct Head {
  HeadKind kind = HeadKind::binary;
  Index classes = 1;      // multiclass only, at least 2
  double pos_weight = 1;  // binary only: what a positive label counts
  double weight = 1;      // of the task's loss in the total
  std::string name = {};

  // Logits per sample.
  Index width() const { return kind == HeadKind::multiclass ? classes : 1; }
};

// The head's name, or "task<t>" for a head without one.
inline std::string task_name(std::span<const Head> heads, Index t) {
  const std::string& name = heads[static_cast<std::size_t>(t)].name;
  return name.empty() ? text("task", t) : name;
}

// First logit column of every task, and their total width C as one more entry.
inline std::vector<Index> head_offsets(std::span<const Head> heads) {
  std::vector<Index> offsets = {0};
  for (const Head& head : heads) offsets.push_back(offsets.back() + head.width());
  return offsets;
}

// Throws ConfigError, in the name of `where`, for a list of heads that has no meaning.
inline void check_heads(const std::string& where, std::span<const Head> heads) {
  require_config(!heads.empty(), where, "heads", "none", "at least one");
  for (Index t = 0; t < std::ssize(heads); ++t) {
    const Head& head = heads[static_cast<std::size_t>(t)];
    const std::string of_task = " of " + task_name(heads, t);
    const bool multiclass = head.kind == HeadKind::multiclass;
    require_config(multiclass ? head.classes >= 2 : head.classes == 1, where, "classes" + of_task,
                   text(head.classes), multiclass ? "at least 2" : "1 unless multiclass");
    require_config(std::isfinite(head.pos_weight) && head.pos_weight > 0, where,
                   "pos_weight" + of_task, text(head.pos_weight), "a finite number above 0");
    require_config(head.kind == HeadKind::binary || head.pos_weight == 1, where,
                   "pos_weight" + of_task, text(head.pos_weight), "1 unless binary");
    require_config(std::isfinite(head.weight) && head.weight >= 0, where, "weight" + of_task,
                   text(head.weight), "a finite number of at least 0");
  }
}

namespace detail {

template <class Scalar>
void predict(std::span<const Head> heads, View3<const Scalar> logits, View3<Scalar> out) {
  Index width = 0;
  for (const Head& head : heads) width += head.width();
  const auto require = [&](const char* argument, View3<const Scalar> view) {
    if (view.batch() != logits.batch() || view.slots() != 1 || view.dim() != width)
      throw ShapeError("predict", argument,
                       text("[", view.batch(), ", ", view.slots(), ", ", view.dim(), "]"),
                       text("[", logits.batch(), ", 1, ", width, "]"));
  };
  require("logits", logits);
  require("out", out);

  for (Index b = 0; b < logits.batch(); ++b) {
    const Scalar* z = logits.row(b);
    Scalar* y = out.row(b);
    for (const Head& head : heads) {
      switch (head.kind) {
        case HeadKind::binary:
          *y = sigmoid(*z);
          break;
        case HeadKind::regression:
          *y = *z;
          break;
        case HeadKind::multiclass: {
          if (y != z) std::copy(z, z + head.classes, y);
          softmax(1, View3<Scalar>(y, 1, 1, head.classes));
          break;
        }
      }
      z += head.width();
      y += head.width();
    }
  }
}

}  // namespace detail

// Turns logits [batch, 1, C] into predictions out [batch, 1, C]: σ, identity or softmax by head. In
// place when out is logits. Throws ShapeError when a shape does not fit the heads. Two functions
// and no template, so that matrices convert.
inline void predict(std::span<const Head> heads, View3<const float> logits, View3<float> out) {
  detail::predict(heads, logits, out);
}
inline void predict(std::span<const Head> heads, View3<const double> logits, View3<double> out) {
  detail::predict(heads, logits, out);
}

}  // namespace plait
