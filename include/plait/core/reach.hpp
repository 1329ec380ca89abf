// Reach: where the gradient of some of a layer's outputs gets to, and backward for those alone.
//
// The loss of one task leaves most outputs of a multi-task network without a gradient: other tasks'
// towers, and at the last level their gates and own experts. A layer may tell which of its
// parameters and inputs the gradient of some outputs reaches, with two members that are optional
// for a user's own layer:
//
//   reach(live, live_in, mark, scratch)
//     live [outputs] flags the outputs that have a gradient. Sets the flags in live_in [in.slots]
//     of the slots that it reaches, which are false before, and calls mark(ParamRange) for the
//     parameters that it reaches (once or more often). Returns false when a part of the layer does
//     not tell: its inputs count as reached then, its parameters are not marked.
//
//   backward(theta, x, y, dy, dx, workspace, grad, scratch, live)
//     as backward without `live`, for a dy that is zero in all other outputs; where those are slots
//     they hold anything and are not read.
//     Of dx the slots that reach() sets are overwritten, the others unspecified. An empty `live` is
//     backward without it.
//
// What is reached follows from the structure alone, not from the numbers: a gradient that happens
// to be zero counts as one.
//
// An output is a slot, but for layers whose tasks lie side by side in one slot (towers): those have
// num_outputs(), one per task.
#pragma once
#include <algorithm>
#include <concepts>
#include <functional>
#include <span>

#include "plait/core/function_ref.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/param_table.hpp"
#include "plait/core/param_view.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/view.hpp"

namespace plait {

// Takes parameters that are reached.
using MarkRange = FunctionRef<void(const ParamRange&)>;

template <class L>
concept TellsReach = Layer<L> &&
    requires(const L& layer, ParamView<typename L::Scalar> theta,
             View3<const typename L::Scalar> in, View3<typename L::Scalar> out,
             const typename L::Workspace& recorded, GradView<typename L::Scalar> grad,
             Scratch& scratch, Flags live, std::span<bool> live_in, MarkRange mark) {
  { layer.reach(live, live_in, mark, scratch) } -> std::same_as<bool>;
  layer.backward(theta, in, in, in, out, recorded, grad, scratch, live);
};

// Outputs of a layer that have a gradient or none by themselves.
template <HasShapes L>
Index num_outputs(const L& layer) {
  if constexpr (requires {
                  { layer.num_outputs() } -> std::same_as<Index>;
                }) {
    return layer.num_outputs();
  } else {
    return layer.out_shape().slots;
  }
}

// layer.reach, or all inputs and false for a layer that has none.
template <Layer L>
bool reach(const L& layer, Flags live, std::span<bool> live_in, MarkRange mark, Scratch& scratch) {
  if constexpr (TellsReach<L>) {
    return layer.reach(live, live_in, mark, scratch);
  } else {
    std::ranges::fill(live_in, true);
    return false;
  }
}

// `count` flags from scratch, all false.
inline std::span<bool> take_flags(Scratch& scratch, Index count) {
  const std::span<bool> flags(scratch.take<bool>(1, 1, count).data(),
                              static_cast<std::size_t>(count));
  std::ranges::fill(flags, false);
  return flags;
}

// layer.backward with `live`, or for a layer that has none its backward on a copy of dy that has
// zeros in the other slots (on dy itself where outputs are not slots: there it has zeros).
template <Layer L>
void backward(const L& layer, ParamView<typename L::Scalar> theta,
              View3<const typename L::Scalar> x, View3<const typename L::Scalar> y,
              View3<const typename L::Scalar> dy, View3<typename L::Scalar> dx,
              const typename L::Workspace& workspace, GradView<typename L::Scalar> grad,
              Scratch& scratch, Flags live) {
  using Scalar = typename L::Scalar;
  if constexpr (TellsReach<L>) {
    layer.backward(theta, x, y, dy, dx, workspace, grad, scratch, live);
  } else if (std::ranges::all_of(live, std::identity()) || std::ssize(live) != dy.slots()) {
    layer.backward(theta, x, y, dy, dx, workspace, grad, scratch);
  } else {
    const Scratch::Frame frame(scratch);
    const auto masked = scratch.take_slot_major<Scalar>(dy.batch(), dy.slots(), dy.dim());
    for (Index s = 0; s < dy.slots(); ++s)
      for (Index b = 0; b < dy.batch(); ++b) {
        if (live[static_cast<std::size_t>(s)]) {
          std::copy_n(dy.row(b, s), dy.dim(), masked.row(b, s));
        } else {
          std::fill_n(masked.row(b, s), dy.dim(), Scalar(0));
        }
      }
    layer.backward(theta, x, y, masked, dx, workspace, grad, scratch);
  }
}

}  // namespace plait
