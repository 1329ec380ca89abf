// The solution of a small positive definite system. Apart from numbers.hpp because Eigen's Cholesky
// factorisation takes a second to compile.
#pragma once

#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"
#include "plait/methods/memory.hpp"

PLAIT_INTRINSICS_BEGIN
#include <Eigen/Cholesky>
PLAIT_INTRINSICS_END

namespace plait::detail {

PLAIT_INTRINSICS_BEGIN

// b <- M⁻¹ b for a positive definite M, of which the lower triangle is read and overwritten.
inline void solve_positive(Square& m, Numbers& b) {
  const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> factor(m);
  factor.solveInPlace(b);
}

PLAIT_INTRINSICS_END

}  // namespace plait::detail
