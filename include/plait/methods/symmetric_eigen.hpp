// Eigenvalues and eigenvectors of a small symmetric matrix.
#pragma once

#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"
#include "plait/methods/memory.hpp"

PLAIT_INTRINSICS_BEGIN
#include <Eigen/Eigenvalues>
PLAIT_INTRINSICS_END

namespace plait::detail {

PLAIT_INTRINSICS_BEGIN

// Up to this size the solver's memory is on the stack. It allocates beyond, which no number of
// tasks that a step of training can pay for reaches.
inline constexpr int most_on_stack = 64;

// M = V diag(values) Vᵀ, values ascending; m becomes V. Of m the lower triangle is read.
inline void symmetric_eigen(Square& m, Numbers& values) {
  const auto solve = [&]<class M>(const M& matrix) {
    Eigen::SelfAdjointEigenSolver<M> solver(matrix.rows());
    solver.compute(matrix);
    values = solver.eigenvalues();
    m = solver.eigenvectors();
  };
  using OnStack = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor,
                                most_on_stack, most_on_stack>;
  if (m.rows() <= most_on_stack) {
    solve(OnStack(m));
  } else {
    solve(Eigen::MatrixXd(m));
  }
}

PLAIT_INTRINSICS_END

}  // namespace plait::detail
