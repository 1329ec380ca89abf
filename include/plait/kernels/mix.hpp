// Mixing: every unit's output as a weighted sum of the experts that it selects,
//
//   y_bu = Σ_j w_buj E_b,expert(u,j),
//
// a small product per sample (torch.bmm). The weights of all units lie side by side, one column for
// each selected expert. What they are, a gate's softmax, static weights or the sum of both, is the
// caller's business. docs/mathematics.md, P4 and P5.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/function_ref.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/packet.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/kernels/selections.hpp"

#define PLAIT_EACH_SET "plait/kernels/each_set/mix.inl"
#include "plait/kernels/each_set.hpp"

namespace plait::kernels {

// experts [B, E, H], weights [B, 1, columns], y [B, units, H] overwritten.
template <class Scalar>
void mix(ConstView3<Scalar> experts, const Selections& selections, ConstView3<Scalar> weights,
         View3<Scalar> y) {
  PLAIT_ASSERT(experts.batch() == y.batch() && experts.dim() == y.dim());
  PLAIT_ASSERT(weights.batch() == y.batch() && weights.dim() == selections.columns());
  PLAIT_ASSERT(y.slots() == selections.units() && experts.slots() == selections.experts());
  PLAIT_RUN(instruction_set(), mix<Scalar>(experts, selections, weights, y));
}

// Reverses mix for the experts from `first` on, as many as `experts` has slots:
// dE_be = Σ_uses w_buj dy_bu and, for their columns alone, dw_buj = <dy_bu, E_be>. Both are
// overwritten. experts and dexperts [B, some, H], weights and dweights [B, 1, columns],
// dy [B, units, H]. With `relu` the experts are a ReLU's outputs, and dE is that of its inputs: 0
// where E is not positive.
template <class Scalar>
void mix_backward(ConstView3<Scalar> experts, const Selections& selections, Index first,
                  ConstView3<Scalar> weights, ConstView3<Scalar> dy, View3<Scalar> dexperts,
                  View3<Scalar> dweights, bool relu = false) {
  PLAIT_ASSERT(experts.batch() == dy.batch() && experts.dim() == dy.dim());
  PLAIT_ASSERT(dexperts.batch() == dy.batch() && dexperts.shape() == experts.shape());
  PLAIT_ASSERT(weights.batch() == dy.batch() && weights.dim() == selections.columns());
  PLAIT_ASSERT(dweights.batch() == dy.batch() && dweights.dim() == selections.columns());
  PLAIT_ASSERT(0 <= first && first + experts.slots() <= selections.experts());
  PLAIT_ASSERT(dy.slots() == selections.units());
  PLAIT_RUN(instruction_set(), mix_backward<Scalar>(experts, selections, first, weights, dy,
                                                    dexperts, dweights, relu));
}

// The same for one expert and some of its uses.
template <class Scalar>
void mix_backward(ConstView3<Scalar> expert, std::span<const Selections::Use> uses,
                  ConstView3<Scalar> weights, ConstView3<Scalar> dy, View3<Scalar> dexpert,
                  View3<Scalar> dweights, bool relu = false) {
  PLAIT_ASSERT(expert.slots() == 1 && dexpert.shape() == expert.shape());
  PLAIT_RUN(instruction_set(),
            mix_backward<Scalar>(expert, uses, weights, dy, dexpert, dweights, relu));
}

// How many experts mix_backward_each takes at a time: fewer read dy more often, more push each
// other out of the cache before their gradients are used.
inline constexpr Index experts_together = 3;

// mix_backward for all experts, a few at a time: take(e, dE_e) uses the gradient of an expert while
// it is in cache. dexperts [B, experts_together, H] is room for them.
template <class Scalar>
void mix_backward_each(ConstView3<Scalar> experts, const Selections& selections,
                       ConstView3<Scalar> weights, ConstView3<Scalar> dy, View3<Scalar> dexperts,
                       View3<Scalar> dweights, bool relu,
                       std::type_identity_t<FunctionRef<void(Index, View3<const Scalar>)>> take) {
  for (Index first = 0; first < experts.slots(); first += experts_together) {
    const Index count = (std::min)(experts_together, experts.slots() - first);
    mix_backward<Scalar>(experts.slot_range(first, count), selections, first, weights, dy,
                         dexperts.slot_range(0, count), dweights, relu);
    for (Index i = 0; i < count; ++i) take(first + i, dexperts.slot(i));
  }
}

#ifdef PLAIT_COMPILED
#define PLAIT_KERNELS(S)                                                                         \
  PLAIT_KERNEL void mix(ConstView3<S>, const Selections&, ConstView3<S>, View3<S>);              \
  PLAIT_KERNEL void mix_backward(ConstView3<S>, const Selections&, Index, ConstView3<S>,         \
                                 ConstView3<S>, View3<S>, View3<S>, bool);                       \
  PLAIT_KERNEL void mix_backward(ConstView3<S>, std::span<const Selections::Use>, ConstView3<S>, \
                                 ConstView3<S>, View3<S>, View3<S>, bool);
PLAIT_KERNELS(float)
PLAIT_KERNELS(double)
#undef PLAIT_KERNELS
#endif

}  // namespace plait::kernels
