// Matrix products for linear layers, accumulated in panels.
//
// Eigen packs panels of both operands; beyond EIGEN_STACK_ALLOCATION_LIMIT (128 KiB) it packs into
// heap memory. Cutting every product into panels whose packed copies fit on the stack keeps all
// products allocation-free at any size.
#pragma once
#include <Eigen/Core>
#include <algorithm>

#include "plait/core/config.hpp"

namespace plait {

// c += a b for any Eigen expressions with direct access: a [M, K], b [K, N], c [M, N].
// c does not overlap a or b.
template <class A, class B, class C>
void add_product(const A& a, const B& b, C&& c) {
  using Scalar = typename A::Scalar;
  constexpr Index depth_panel = 256;
  constexpr Index stack_limit =
      EIGEN_STACK_ALLOCATION_LIMIT == 0 ? (Index{1} << 17) : Index{EIGEN_STACK_ALLOCATION_LIMIT};
  constexpr Index side_panel =
      std::max(Index{8}, stack_limit / (depth_panel * static_cast<Index>(sizeof(Scalar))));
  PLAIT_ASSERT(a.cols() == b.rows() && a.rows() == c.rows() && b.cols() == c.cols());
  for (Index j = 0; j < b.cols(); j += side_panel) {
    const Index n = std::min(side_panel, b.cols() - j);
    for (Index k = 0; k < a.cols(); k += depth_panel) {
      const Index depth = std::min(depth_panel, a.cols() - k);
      for (Index i = 0; i < a.rows(); i += side_panel) {
        const Index m = std::min(side_panel, a.rows() - i);
        c.block(i, j, m, n).noalias() += a.block(i, k, m, depth) * b.block(k, j, depth, n);
      }
    }
  }
}

}  // namespace plait
