// Matrix products c [M, N] = start + a [M, K] b [K, N] in registers.
//
// A tile of rows x packets accumulators walks once through K: every number of c is
// start + a_0 b_0 + a_1 b_1 + ..., added in this order whatever the sizes, the tile or the way b
// comes. A row of c therefore depends on its own row of a alone, to the last bit: scoring a batch,
// a part of it, or one row gives the same numbers.
//
// b is read panel by panel (panels.hpp): as it lies when its rows are contiguous and begin at a
// register's bounds, which costs the tile nothing and saves a copy; lying otherwise, it is packed
// on the way where enough rows of a read it; transposed, it is packed before, or here. a is read
// number by number, either row-major or transposed. Nothing is allocated; a panel that is packed
// here lies on the stack (48 KiB at most).
#pragma once
#include <algorithm>
#include <cstddef>

#include "plait/core/config.hpp"
#include "plait/kernels/packet.hpp"
#include "plait/kernels/panels.hpp"

namespace plait::simd {

// What is done to a sum before it is stored. `add`: what c holds is added to it, c += a b; a long
// sum of many products then loses a rounding per product, where one that starts at c, as Start has
// it, would lose one per term.
enum class Finish { none, relu, add };

// Where the sums start: at zero (null), at one row for all rows (stride 0), or at a matrix, which
// may be c itself.
template <class Scalar>
struct Start {
  const Scalar* row = nullptr;
  Index stride = 0;
};

// The left-hand operand: number (m, k) at data[m * stride + k], or, transposed, at
// data[k * stride + m].
template <class Scalar, bool Transposed>
struct Left {
  const Scalar* data;
  Index stride;

  const Scalar& operator()(Index m, Index k) const {
    if constexpr (Transposed) {
      return data[k * stride + m];
    } else {
      return data[m * stride + k];
    }
  }
  Left from(Index m, Index k) const {
    return {data + (Transposed ? k * stride + m : m * stride + k), stride};
  }
};

// A panel of the right-hand operand: number (k, j) at data[k * stride + j]. What will be read after
// it, where that is known, begins at `next`; what a product makes of it may be written to `made`.
template <class Scalar>
struct Panel {
  const Scalar* data;
  Index stride;
  const Scalar* next = nullptr;
  Scalar* made = nullptr;
};

}  // namespace plait::simd

#define PLAIT_EACH_SET "plait/kernels/each_set/gemm.inl"
#include "plait/kernels/each_set.hpp"
