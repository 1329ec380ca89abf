// The solution of a small positive definite system. Apart from numbers.hpp because Eigen's Cholesky
// factorisation takes a second to compile.
#pragma once
#include <Eigen/Cholesky>
#include <Eigen/Core>

#include "plait/methods/memory.hpp"

namespace plait::detail {

// b <- M⁻¹ b for a positive definite M, of which the lower triangle is read and overwritten.
inline void solve_positive(Square& m, Numbers& b) {
  const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> factor(m);
  factor.solveInPlace(b);
}

}  // namespace plait::detail
