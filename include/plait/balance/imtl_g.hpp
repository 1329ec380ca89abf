// IMTL-G: impartial gradients (Liu et al., ICLR 2021).
#pragma once
#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <cmath>

#include "plait/balance/balancer.hpp"
#include "plait/balance/unit_gramian.hpp"

namespace plait {

// d has the same projection on every unit gradient u_t = g_t / ‖g_t‖:
//
//   α ∝ M⁻¹ n,  n_t = ‖g_t‖,  Σ_t α_t = 1
//
// α_t may be negative. Solved between unit gradients, with the pseudo-inverse where they are
// dependent: the projections are then as equal as they can be, in least squares, and α is a least
// one (two opposite gradients: α = 0). α = 0, too, where the weights would sum to zero, so that no
// multiple has sum 1, and without any gradient.
struct IMTLG {
  static constexpr bool needs_gramian = true;
  void validate(Index) const {}

  Eigen::VectorXd weights(const BalancerInput& input, MethodState&) const {
    const detail::UnitGramian unit(input.gramian);
    if (unit.size() == 0) return Eigen::VectorXd::Zero(input.tasks);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(unit.cosines);
    const Eigen::VectorXd& values = eigen.eigenvalues();
    const double least = detail::rank_tolerance * values.maxCoeff();
    const Eigen::VectorXd inverse = (values.array() > least).select(values.array().inverse(), 0.0);
    const Eigen::VectorXd ones = Eigen::VectorXd::Ones(unit.size());
    Eigen::VectorXd alpha =
        eigen.eigenvectors() * inverse.cwiseProduct(eigen.eigenvectors().transpose() * ones);
    // What rounding leaves of the projections that cancel.
    if (alpha.lpNorm<Eigen::Infinity>() < detail::rank_tolerance) alpha.setZero();
    alpha = alpha.cwiseQuotient(unit.norms);
    const double sum = alpha.sum();
    if (std::abs(sum) <= detail::rank_tolerance * alpha.lpNorm<1>())
      alpha.setZero();
    else
      alpha /= sum;
    return unit.spread(alpha);
  }
};

static_assert(Balancer<IMTLG>);

}  // namespace plait
