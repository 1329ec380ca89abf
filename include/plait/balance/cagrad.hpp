// CAGrad: conflict-averse gradient descent (Liu et al., NeurIPS 2021).
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "plait/balance/balancer.hpp"
#include "plait/balance/nonnegative_qp.hpp"
#include "plait/balance/unit_gramian.hpp"
#include "plait/core/error.hpp"

namespace plait {

enum class CAGradRescale {
  none,        // the paper
  by_squared,  // d / (1 + c²), the default of the authors' code
  by_one,      // d / (1 + c)
};

// The direction near the mean gradient g_0 = Σ_t g_t / T that helps the worst-off task most:
//
//   d = argmax min_t ⟨g_t, d⟩  subject to  ‖d - g_0‖ <= c ‖g_0‖
//
// In the paper's dual form d = g_0 + λ g_w with g_w = Gᵀw, w = argmin over the simplex of
// ⟨g_w, g_0⟩ + c ‖g_0‖ ‖g_w‖ and λ = c ‖g_0‖ / ‖g_w‖; so α_t = 1/T + λ w_t: a mean, not a
// sum. c = 0 is the mean; for c to infinity d tends to the direction of MGDA.
//
// Where the gradients combine to zero, no direction helps all, and where the ball holds several
// that hurt none, d is the one nearest to g_0. Without any gradient, α = 0.
struct CAGrad {
  double c = 0.5;
  CAGradRescale rescale = CAGradRescale::none;

  static constexpr bool needs_gramian = true;

  // Throws ConfigError unless c is a finite number of at least 0.
  void validate(Index) const {
    require_config(std::isfinite(c) && c >= 0, "CAGrad", "c", text(c),
                   "a finite number of at least 0");
  }

  Eigen::VectorXd weights(const BalancerInput& input, MethodState&) const {
    const detail::UnitGramian unit(input.gramian);
    if (unit.size() == 0) return Eigen::VectorXd::Zero(input.tasks);
    const Eigen::MatrixXd m = unit.norms.asDiagonal() * unit.cosines * unit.norms.asDiagonal();
    const Eigen::VectorXd mean =
        Eigen::VectorXd::Constant(unit.size(), 1.0 / static_cast<double>(unit.size()));
    return unit.spread((mean + addition(m, mean)) / divisor());
  }

 private:
  double divisor() const {
    switch (rescale) {
      case CAGradRescale::by_squared:
        return 1 + c * c;
      case CAGradRescale::by_one:
        return 1 + c;
      case CAGradRescale::none:
        break;
    }
    return 1;
  }

  // u = λ w. For a level ν, the d nearest to g_0 with ⟨g_t, d⟩ >= ν for all t is g_0 + Gᵀu, where
  // u(ν) = argmin_{u >= 0} ½ uᵀMu + (M mean - ν)ᵀu. Its distance h(ν) = √(uᵀMu) from g_0 is convex
  // and increasing, with slope Σu / h; what is sought is h(ν) = c ‖g_0‖, by Newton's method from
  // above, where it cannot overshoot.
  Eigen::VectorXd addition(const Eigen::MatrixXd& m, const Eigen::VectorXd& mean) const {
    const Eigen::VectorXd products = m * mean;
    const double length = std::sqrt(std::max(0.0, mean.dot(products)));
    const double radius = c * length;
    if (!(radius > 0)) return Eigen::VectorXd::Zero(m.rows());
    const auto nearest = [&](double level) {
      return detail::solve_nonnegative_qp(m, (products.array() - level).matrix());
    };
    const auto distance = [&](const Eigen::VectorXd& u) {
      return std::sqrt(std::max(0.0, u.dot(m * u)));
    };

    double level = 0;
    Eigen::VectorXd u = nearest(level);
    if (distance(u) <= radius) {
      const Eigen::VectorXd hull = detail::least_norm_weights(m);
      if (detail::combines_to_zero(m, hull)) return u;
      level = (length + radius) * std::sqrt(hull.dot(m * hull));  // no d in the ball reaches more
      u = nearest(level);
    }
    for (int k = 0; k < 100; ++k) {
      const double reached = distance(u);
      const double next = level - (reached - radius) * reached / u.sum();
      if (!(next < level)) break;
      level = next;
      u = nearest(level);
    }
    return u;
  }
};

static_assert(Balancer<CAGrad>);

}  // namespace plait
