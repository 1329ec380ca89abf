// The Layer concept: the contract between everything that computes and everything that calls it.
//
// A layer is a description: sizes and parameter ids, no numbers, no cache, no state. It maps
// x [batch, in.slots, in.dim] to y [batch, out.slots, out.dim] row by row (no reduction over the
// batch), so a batch may be cut into row tiles without changing the result.
//
//   in_shape(), out_shape()                                    slots and dim of x and of y
//   forward (theta, x, y, workspace, scratch)                  y = f(x; theta)
//   backward(theta, x, y, dy, dx, workspace, grad, scratch)    its gradients
//
// * theta: the parameters' values. grad: their gradients, over the table the layer was built on.
//
// * y and dx are overwritten, grad is accumulated: claim a tensor (GradView::claim), or add to it
//   (add_to), in every call anew. dx may be empty (`if (!dx)`) and is then skipped.
//
// * The workspace of forward is a pointer to what backward needs beside its arguments. Null means
//   that no backward follows: y is the same bit for bit, and what would be kept comes from scratch.
//   (A level whose gates leave experts out computes them where they have weight alone: an infinity
//   in another is then none of y's.)
//   core/workspace.hpp has the one line that chooses.
//
// * x, y and theta passed to backward are those of the forward; the layer stores none of them. dy
//   is the gradient with respect to y and is not modified.
//
// * Workspace lives from forward to backward, belongs to the caller, is default-constructible and
//   reusable for any batch, and by another layer of the same type (which recomputed levels do).
//   backward does not change what it says: it may run twice. A layer that is called several times
//   in one pass needs a workspace for each call.
//
// * Scratch is call-local.
//
// * Batches of 0 and 1 are legal. After one call at some batch, no call at that or a smaller batch
//   allocates.
//
// * All methods are const. Concurrent calls with distinct workspace, grad, scratch and outputs are
//   safe.
//
// * y, dx and what they are computed from do not overlap. Views' dims are contiguous, batch and
//   slot strides are arbitrary.
//
// The suite in plait/testing/layer_suite.hpp checks all of this on any layer, a user's own
// included, but for workspaces that another layer has used.
//
// What a layer may have besides, all of it optional:
//
//   forward (..., ForwardOptions)     what training asks of a pass (core/options.hpp); a layer of
//                                     layers hands it on
//   drops_experts()                   true: ForwardOptions::expert_dropout has an effect
//   draws()                           true: ForwardOptions::draws has an effect
//   backward(..., BackwardOptions), ends_in_relu()
//                                     parts of a neighbour's work
//   reach(...), backward(..., Flags), num_outputs()
//                                     which parameters some outputs reach (core/reach.hpp)
//   is_identity()                     true: y = x, and callers pass x straight on
//   visit_input_linears(f)            the linear layers through which alone it reads its input
//                                     where nothing is drawn
//   watched(), watch(...)             what its gates and experts do (core/watch.hpp)
//   drawn_routes(theta)               with which probabilities it draws (core/drawn_routes.hpp)
#pragma once
#include <concepts>
#include <optional>
#include <string>

#include "plait/core/function_ref.hpp"
#include "plait/core/options.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/param_view.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "plait/core/view.hpp"

namespace plait {

template <class L>
concept HasShapes = requires(const L& layer) {
  typename L::Scalar;
  { layer.in_shape() } -> std::same_as<Shape>;
  { layer.out_shape() } -> std::same_as<Shape>;
};

template <class L>
concept RunsForward = HasShapes<L> && std::default_initializable<typename L::Workspace> &&
    requires(const L& layer, ParamView<typename L::Scalar> theta, View3<const typename L::Scalar> x,
             View3<typename L::Scalar> y, typename L::Workspace* workspace, Scratch& scratch) {
  layer.forward(theta, x, y, workspace, scratch);
};

template <class L>
concept RunsBackward = HasShapes<L> &&
    requires(const L& layer, ParamView<typename L::Scalar> theta,
             View3<const typename L::Scalar> in, View3<typename L::Scalar> out,
             const typename L::Workspace& recorded, GradView<typename L::Scalar> grad,
             Scratch& scratch) {
  layer.backward(theta, in, in, in, out, recorded, grad, scratch);
};

template <class L>
concept Layer = std::copyable<L> && RunsForward<L> && RunsBackward<L>;

// Has forward(..., ForwardOptions).
template <class L>
concept TakesForwardOptions = Layer<L> &&
    requires(const L& layer, ParamView<typename L::Scalar> theta, View3<const typename L::Scalar> x,
             View3<typename L::Scalar> y, typename L::Workspace* workspace, Scratch& scratch,
             const ForwardOptions& options) {
  layer.forward(theta, x, y, workspace, scratch, options);
};

// Has backward(..., BackwardOptions).
template <class L>
concept TakesBackwardOptions = Layer<L> &&
    requires(const L& layer, ParamView<typename L::Scalar> theta,
             View3<const typename L::Scalar> in, View3<typename L::Scalar> out,
             const typename L::Workspace& recorded, GradView<typename L::Scalar> grad,
             Scratch& scratch) {
  layer.backward(theta, in, in, in, out, recorded, grad, scratch, BackwardOptions{});
};

// The parameters of a linear layer y = x Wᵀ + b.
struct LinearIds {
  ParamId weight;               // W [O, I]
  std::optional<ParamId> bias;  // b [O]
};
using VisitLinear = FunctionRef<void(const LinearIds&)>;

// True for a layer that returns its input (an MLP without layers).
template <Layer L>
bool is_identity(const L& layer) {
  if constexpr (requires {
                  { layer.is_identity() } -> std::same_as<bool>;
                }) {
    return layer.is_identity();
  } else {
    return false;
  }
}

// Calls visit with every linear layer through which a layer reads its input; false when it reads it
// in any other way too, or does not tell. What scoring needs to compute the share of some input
// columns once for many rows.
template <Layer L>
bool visit_input_linears(const L& layer, VisitLinear visit) {
  if constexpr (requires {
                  { layer.visit_input_linears(visit) } -> std::same_as<bool>;
                }) {
    return layer.visit_input_linears(visit);
  } else {
    return false;
  }
}

// True for a layer that takes BackwardOptions and whose output is a ReLU's.
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

// True for a layer in which expert dropout has an effect.
template <Layer L>
bool drops_experts(const L& layer) {
  if constexpr (TakesForwardOptions<L> && requires {
                  { layer.drops_experts() } -> std::same_as<bool>;
                }) {
    return layer.drops_experts();
  } else {
    return false;
  }
}

// True for a layer that draws in training.
template <Layer L>
bool draws(const L& layer) {
  if constexpr (TakesForwardOptions<L> && requires {
                  { layer.draws() } -> std::same_as<bool>;
                }) {
    return layer.draws();
  } else {
    return false;
  }
}

// layer.forward with the options, which a layer may not take.
template <Layer L>
void forward(const L& layer, ParamView<typename L::Scalar> theta, View3<const typename L::Scalar> x,
             View3<typename L::Scalar> y, typename L::Workspace* workspace, Scratch& scratch,
             const ForwardOptions& options) {
  if constexpr (TakesForwardOptions<L>) {
    layer.forward(theta, x, y, workspace, scratch, options);
  } else {
    layer.forward(theta, x, y, workspace, scratch);
  }
}

// layer.backward with the options, for a layer that may not take them and has one slot if they ask
// for anything.
template <Layer L>
void backward(const L& layer, ParamView<typename L::Scalar> theta,
              View3<const typename L::Scalar> x, View3<const typename L::Scalar> y,
              View3<const typename L::Scalar> dy, View3<typename L::Scalar> dx,
              const typename L::Workspace& workspace, GradView<typename L::Scalar> grad,
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
    for (Index b = 0; b < dx.batch(); ++b)
      for (Index d = 0; d < dx.dim(); ++d) dx.row(b)[d] += share.row(b)[d];
  }
}

}  // namespace plait
