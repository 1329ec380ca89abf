// RotoGrad: homogenised lengths and directions at a shared representation (Javaloy and Valera, ICLR
// 2022).
//
// Every task's head reads its own rotation of the shared representation z [B, d],
//
//   r_t = R_t z                                             (the layer Rotations,
//   layers/rotations.hpp)
//
// and the trunk and the rotations are trained on different objectives:
//
//  * The trunk receives the sum of the tasks' cotangents of z at one common length: RotoGrad, a
//    BalancingMethod on the Gramian of the cotangents R_tᵀ ∂L_t/∂r_t of the whole batch.
//  * The rotations turn the cotangents towards each other: rotation_reference, then for every task
//    rotation_gradient and rotate, with a learning rate of their own, slower than the network's.
#pragma once
#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "plait/core/eigen.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/view.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/numbers.hpp"

namespace plait {

// With n_t = ‖∂L_t/∂z‖ over the whole batch and n⁰_t its length at the start:
//
//   a_t = (n_t / n⁰_t) / Σ_s (n_s / n⁰_s),  C = Σ_t a_t n_t,  α_t = C / n_t
//
// d is a sum of vectors of length C, which follows the tasks that have come least far.
// state.numbers are n⁰ [T]: taken when a task first has a gradient, and again after burn_in steps,
// when the first large changes are over. A task without a gradient gets weight 0.
struct RotoGrad {
  Index burn_in = 20;

  static constexpr std::string_view name = "RotoGrad";
  static constexpr bool needs_gramian = true;

  void fields(FieldVisitor& visit) { visit("burn_in", burn_in); }

  // Throws ConfigError unless burn_in is at least 0.
  void validate(Index) const {
    require_config(burn_in >= 0, "RotoGrad", "burn_in", text(burn_in), "at least 0");
  }
  std::vector<double> initial_numbers(Index tasks) const {
    return std::vector<double>(static_cast<std::size_t>(tasks), 0.0);
  }

  void weights(const BalancingInput& input, MethodState& state, std::span<double> out,
               Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    detail::Numbers norms = detail::take_numbers(scratch, input.tasks);
    detail::Numbers ratios = detail::take_numbers(scratch, input.tasks);
    for (Index t = 0; t < input.tasks; ++t) {
      norms[t] = std::sqrt((std::max)(0.0, input.gramian(t, t)));
      ratios[t] = 0;
      if (norms[t] == 0) continue;
      double& initial = state.numbers[static_cast<std::size_t>(t)];
      if (initial == 0 || state.steps == burn_in) initial = norms[t];
      ratios[t] = norms[t] / initial;
    }
    const double total = detail::sum(ratios);
    if (total == 0) return std::fill(out.begin(), out.end(), 0.0);
    for (Index t = 0; t < input.tasks; ++t) ratios[t] = ratios[t] / total * norms[t];
    const double common = detail::sum(ratios);
    for (Index t = 0; t < input.tasks; ++t)
      out[static_cast<std::size_t>(t)] = norms[t] > 0 ? common / norms[t] : 0;
  }
};

static_assert(BalancingMethod<RotoGrad>);

// What all rotated cotangents should be: reference [B, 1, d] = mean over the tasks of their
// cotangents of z [B, T, d], each brought to the length of the mean cotangent (over the whole
// batch). A task without a gradient adds nothing.
template <class Scalar>
void rotation_reference(std::type_identity_t<View3<const Scalar>> cotangents,
                        View3<Scalar> reference) {
  const Index tasks = cotangents.slots();
  PLAIT_ASSERT(reference.batch() == cotangents.batch() && reference.slots() == 1 &&
               reference.dim() == cotangents.dim());
  const auto share = 1.0 / static_cast<double>(tasks);
  Eigen::MatrixXd mean = Eigen::MatrixXd::Zero(reference.batch(), reference.dim());
  for (Index t = 0; t < tasks; ++t) mean += cotangents.of_slot(t).template cast<double>() * share;
  const double length = mean.norm();
  mean.setZero();
  for (Index t = 0; t < tasks; ++t) {
    const Eigen::MatrixXd g = cotangents.of_slot(t).template cast<double>();
    const double norm = g.norm();
    if (norm > 0) mean += g * (share * length / norm);
  }
  reference.of_slot(0) = mean.template cast<Scalar>();
}

// The loss of one task's rotation R [d, d], and its gradient:
//
//   loss = 1/B Σ_b ‖R v_b - g_b‖²,  gradient = 2/B Σ_b (R v_b - g_b) v_bᵀ
//
// reference v [B, 1, d]; cotangents g [B, 1, d] are ∂L_t/∂r_t, behind the rotation. gradient [d, d]
// is overwritten. 0 and zeros for an empty batch.
template <class Scalar>
double rotation_gradient(MatrixMap<const Scalar> rotation,
                         std::type_identity_t<View3<const Scalar>> reference,
                         std::type_identity_t<View3<const Scalar>> cotangents,
                         MatrixMap<Scalar> gradient) {
  PLAIT_ASSERT(cotangents.batch() == reference.batch() && cotangents.shape() == reference.shape());
  gradient.setZero();
  if (reference.batch() == 0) return 0;
  const Eigen::MatrixXd v = reference.of_slot(0).template cast<double>();
  const Eigen::MatrixXd residual = v * rotation.template cast<double>().transpose() -
                                   cotangents.of_slot(0).template cast<double>();
  const auto batch = static_cast<double>(reference.batch());
  gradient = (residual.transpose() * v * (2 / batch)).template cast<Scalar>();
  return residual.squaredNorm() / batch;
}

// One step of gradient descent on the rotation matrices, R stays orthogonal:
//
//   Ω = Rᵀ gradient - gradientᵀ R,  R <- R (I + rate/2 Ω)⁻¹ (I - rate/2 Ω)
//
// the Cayley transform, which agrees with R exp(-rate Ω) to second order in rate; Ω holds the
// derivatives of the loss by the angles. One Newton step back to the orthogonal matrices keeps
// rounding from accumulating.
template <class Scalar>
void rotate(MatrixMap<Scalar> rotation, MatrixMap<const Scalar> gradient, double rate) {
  const Eigen::MatrixXd r = rotation.template cast<double>();
  const Eigen::MatrixXd product = r.transpose() * gradient.template cast<double>();
  const Eigen::MatrixXd half = 0.5 * rate * (product - product.transpose());
  const Eigen::MatrixXd identity = Eigen::MatrixXd::Identity(r.rows(), r.cols());
  const Eigen::MatrixXd turned = r * (identity + half).partialPivLu().solve(identity - half);
  rotation = (0.5 * turned * (3 * identity - turned.transpose() * turned)).template cast<Scalar>();
}

}  // namespace plait
