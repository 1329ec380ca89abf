// The Layer concept: the contract between everything that computes and everything that calls it.
//
// A layer is a description: sizes and parameter ids, no numbers, no cache, no state. It maps
// x [batch, in.slots, in.dim] to y [batch, out.slots, out.dim] row by row (no reduction over the
// batch), so a batch may be cut into row tiles without changing the result.
//
//   in_shape(), out_shape()                                 slots and dim of x and of y
//   infer   (theta, x, y, scratch)                          y = f(x; theta)
//   forward (theta, x, y, workspace, scratch)               the same y bit for bit, and records
//   backward(theta, x, y, dy, dx, workspace, grad, scratch)
//
// * theta are the parameter values, grad their gradients, both over the table the layer was built
// on.
// * y and dx are overwritten, grad is accumulated: a tensor's numbers are those that grad gives for
//   its id, in every call anew. dx may be empty (`if (!dx)`) and is then skipped.
// * x, y and theta passed to backward are those of the forward; the layer stores none of them. dy
// is
//   the gradient with respect to y and is not modified.
// * Workspace lives from forward to backward, belongs to the caller, is default-constructible and
//   reusable for any batch. backward does not change it: it may run twice.
// * Scratch is call-local.
// * Batches of 0 and 1 are legal. After one call at some batch, no call at that or a smaller batch
//   allocates.
// * All methods are const. Concurrent calls with distinct workspace, grad, scratch and outputs are
//   safe.
// * y, dx and what they are computed from do not overlap. Views' dims are contiguous, batch and
// slot
//   strides are arbitrary.
//
// The suite in plait/testing/layer_suite.hpp checks all of this on any layer, a user's own
// included.
#pragma once
#include <concepts>
#include <string>

#include "plait/core/params.hpp"
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
concept Inferable = HasShapes<L> &&
    requires(const L& layer, ParamView<const typename L::Scalar> theta,
             View3<const typename L::Scalar> x, View3<typename L::Scalar> y, Scratch& scratch) {
  layer.infer(theta, x, y, scratch);
};

template <class L>
concept Differentiable = HasShapes<L> && std::default_initializable<typename L::Workspace> &&
    requires(const L& layer, ParamView<const typename L::Scalar> theta,
             View3<const typename L::Scalar> in, View3<typename L::Scalar> out,
             typename L::Workspace& workspace, const typename L::Workspace& recorded,
             ParamView<typename L::Scalar> grad, Scratch& scratch) {
  layer.forward(theta, in, out, workspace, scratch);
  layer.backward(theta, in, in, in, out, recorded, grad, scratch);
};

template <class L>
concept Layer = std::copyable<L> && Inferable<L> && Differentiable<L>;

// A layer from one vector to one vector that is built from an input width and its own Config: what
// may serve as an expert, a gate body or a tower body. `name` prefixes its parameters' names.
template <class L>
concept Body = Layer<L> && std::copyable<typename L::Config> &&
    std::constructible_from<L, ParamTable&, std::string, Index, typename L::Config>;

// True for a body that returns its input (an MLP without layers): callers then pass x straight on.
// Optional for a user's own body.
template <class L>
bool is_identity(const L& layer) {
  if constexpr (requires {
                  { layer.is_identity() } -> std::same_as<bool>;
                }) {
    return layer.is_identity();
  } else {
    return false;
  }
}

// Calls f with every linear layer through which a layer reads its input; false when it reads it in
// any other way too, or does not tell. What scoring needs to compute the share of some input
// columns once for many rows. Optional for a user's own layer, as a member template.
template <class L, class F>
bool visit_input_linears(const L& layer, const F& f) {
  if constexpr (requires {
                  { layer.visit_input_linears(f) } -> std::same_as<bool>;
                }) {
    return layer.visit_input_linears(f);
  } else {
    return false;
  }
}

// Runs a layer as infer (Record false; workspace may be null) or forward (Record true). The one
// place where a layer made of layers chooses, so that its two entry points share one body.
template <bool Record, Layer L>
void run(const L& layer, ParamView<const typename L::Scalar> theta,
         View3<const typename L::Scalar> x, View3<typename L::Scalar> y,
         typename L::Workspace* workspace, Scratch& scratch) {
  if constexpr (Record) {
    layer.forward(theta, x, y, *workspace, scratch);
  } else {
    layer.infer(theta, x, y, scratch);
  }
}

}  // namespace plait
