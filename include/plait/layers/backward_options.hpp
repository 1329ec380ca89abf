// What a level does together with the layers inside it: the parts of their backward that a
// neighbour computes in the same pass over memory. Optional for a user's own expert or gate body,
// which is called as the Layer concept says if it lacks them.
#pragma once
#include <concepts>

#include "plait/core/layer.hpp"
#include "plait/core/params.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/view.hpp"

namespace plait {

struct BackwardOptions {
  bool adds_to_dx = false;        // dx has gradients of others already: += instead of =
  bool passed_last_relu = false;  // dy is zero already where y is (for a layer with ends_in_relu())
};

// Has backward(theta, x, y, dy, dx, workspace, grad, scratch, BackwardOptions).
template <class L>
concept TakesBackwardOptions = Layer<L> &&
    requires(const L& layer, ParamView<const typename L::Scalar> theta,
             View3<const typename L::Scalar> in, View3<typename L::Scalar> out,
             const typename L::Workspace& recorded, ParamView<typename L::Scalar> grad,
             Scratch& scratch) {
  layer.backward(theta, in, in, in, out, recorded, grad, scratch, BackwardOptions{});
};

// True for a layer that takes the options and whose output is a ReLU's.
template <Layer L>
bool ends_in_relu(const L& layer) {
  if constexpr (TakesBackwardOptions<L> && requires {
                  { layer.ends_in_relu() } -> std::same_as<bool>;
                }) {
    return layer.ends_in_relu();
  } else {
    return false;
  }
}

// layer.backward with the options, for a layer of one slot.
template <Layer L>
void backward_with(const L& layer, ParamView<const typename L::Scalar> theta,
                   View3<const typename L::Scalar> x, View3<const typename L::Scalar> y,
                   View3<const typename L::Scalar> dy, View3<typename L::Scalar> dx,
                   const typename L::Workspace& workspace, ParamView<typename L::Scalar> grad,
                   Scratch& scratch, BackwardOptions options) {
  if constexpr (TakesBackwardOptions<L>) {
    layer.backward(theta, x, y, dy, dx, workspace, grad, scratch, options);
  } else {
    PLAIT_ASSERT(!options.passed_last_relu);
    if (!options.adds_to_dx || !dx)
      return layer.backward(theta, x, y, dy, dx, workspace, grad, scratch);
    const Scratch::Frame frame(scratch);
    const auto share = scratch.take<typename L::Scalar>(dx.batch(), 1, dx.dim());
    layer.backward(theta, x, y, dy, share, workspace, grad, scratch);
    dx.of_slot(0) += share.of_slot(0);
  }
}

}  // namespace plait
