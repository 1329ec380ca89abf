// Panels: how the right-hand operand of a product is laid out for the register tile.
//
// The columns of b [K, N] are cut into panels of up to `tile_packets` packets; within a panel the
// numbers of one k lie side by side, k after k, so that a product reads them in one stream:
//
//   panel p of w columns from column c on:  panel[k * w + j] = b[k, c + j]
//
// Columns beyond N are zeros up to a whole packet. Widths differ by one packet at most, so that no
// panel is narrow unless all are.
#pragma once
#include <algorithm>
#include <cstddef>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/packet.hpp"

namespace plait::simd {

// Depth of the panels that are packed on the way: 48 KiB of stack with the widest registers.
inline constexpr Index panel_depth = 256;

}  // namespace plait::simd

#define PLAIT_EACH_SET "plait/kernels/each_set/panels.inl"
#include "plait/kernels/each_set.hpp"

namespace plait::kernels {

// Panels of Wᵀ for one weight W [O, I], laid out for the given instruction set; `panels` holds
// packed_size(O, I) numbers.
template <class Scalar>
Index packed_size([[maybe_unused]] InstructionSet set, Index outputs, Index inputs) {
  PLAIT_RUN(set, packed_size<Scalar>(outputs, inputs));
}
template <class Scalar>
void pack_weight([[maybe_unused]] InstructionSet set, MatrixMap<const Scalar> weight,
                 Scalar* panels) {
  PLAIT_RUN(set, pack_weight<Scalar>(weight, panels));
}

#ifdef PLAIT_COMPILED
#define PLAIT_KERNELS(S)                                           \
  PLAIT_KERNEL Index packed_size<S>(InstructionSet, Index, Index); \
  PLAIT_KERNEL void pack_weight(InstructionSet, MatrixMap<const S>, S*);
PLAIT_KERNELS(float)
PLAIT_KERNELS(double)
#undef PLAIT_KERNELS
#endif

}  // namespace plait::kernels
