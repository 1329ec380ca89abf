// MGDA: the point of least norm in the convex hull of the gradients (Désidéri, C. R. Math. 2012;
// Sener and Koltun, NeurIPS 2018).
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <span>

#include "plait/balance/balancer.hpp"
#include "plait/balance/nonnegative_qp.hpp"
#include "plait/balance/unit_gramian.hpp"
#include "plait/core/error.hpp"

namespace plait {

enum class MGDASolver {
  exact,        // an active-set method, for any number of tasks
  frank_wolfe,  // Sener and Koltun's algorithm 2, from equal weights
};

enum class MGDANormalisation {
  none,
  l2,       // g_t / ‖g_t‖
  loss,     // g_t / L_t
  loss_l2,  // g_t / (L_t ‖g_t‖)
};

//   α = argmin αᵀMα  subject to  α >= 0, Σ_t α_t = 1
//
// d = Gᵀα has equal inner products with all gradients in the support, ⟨g_t, d⟩ = ‖d‖², and larger
// ones with the others: no task gets worse to first order. d = 0 where the gradients combine to
// zero (the parameters are Pareto-stationary). Of parallel gradients the shortest is taken; where
// dependent ones leave a choice of α, which is returned is unspecified, d is unique. Without any
// gradient, α = 0.
//
// The exact solver takes microseconds at 20 tasks; Frank-Wolfe is for comparison with results that
// were obtained with it.
//
// With a normalisation α is found for the normalised gradients and applied to the original ones, as
// in the authors' code. On the Gramian of a representation's cotangents this is MGDA-UB.
struct MGDA {
  MGDASolver solver = MGDASolver::exact;
  MGDANormalisation normalisation = MGDANormalisation::none;
  double tolerance = 1e-3;  // Frank-Wolfe: the last step's share
  Index iterations = 100;   // Frank-Wolfe: at most

  static constexpr bool needs_gramian = true;

  // Throws ConfigError unless tolerance is a finite number of at least 0 and iterations at least 1.
  void validate(Index) const {
    require_config(std::isfinite(tolerance) && tolerance >= 0, "MGDA", "tolerance", text(tolerance),
                   "a finite number of at least 0");
    require_config(iterations >= 1, "MGDA", "iterations", text(iterations), "at least 1");
  }

  // Throws ValueError, with a normalisation by losses, for a loss that is not above 0 though the
  // task has a gradient.
  Eigen::VectorXd weights(const BalancerInput& input, MethodState&) const {
    const detail::UnitGramian unit(input.gramian);
    if (unit.size() == 0) return Eigen::VectorXd::Zero(input.tasks);
    const Eigen::VectorXd lengths = normalised_lengths(unit, input.losses);
    const Eigen::MatrixXd m = lengths.asDiagonal() * unit.cosines * lengths.asDiagonal();
    return unit.spread(solver == MGDASolver::exact ? detail::least_norm_weights(m)
                                                   : frank_wolfe(m));
  }

 private:
  Eigen::VectorXd normalised_lengths(const detail::UnitGramian& unit,
                                     std::span<const double> losses) const {
    const bool by_length =
        normalisation == MGDANormalisation::l2 || normalisation == MGDANormalisation::loss_l2;
    Eigen::VectorXd lengths = by_length ? Eigen::VectorXd::Ones(unit.size()) : unit.norms;
    if (normalisation == MGDANormalisation::loss || normalisation == MGDANormalisation::loss_l2)
      for (Index i = 0; i < unit.size(); ++i) {
        const Index t = unit.task(i);
        if (t >= std::ssize(losses))
          throw ShapeError("MGDA", "losses", text(losses.size()), "one per task");
        const double loss = losses[static_cast<std::size_t>(t)];
        if (!(loss > 0)) throw ValueError("MGDA", text("loss of task ", t), text(loss), "above 0");
        lengths[i] /= loss;
      }
    return lengths;
  }

  Eigen::VectorXd frank_wolfe(const Eigen::MatrixXd& m) const {
    const Index n = m.rows();
    Eigen::VectorXd alpha = Eigen::VectorXd::Constant(n, 1.0 / static_cast<double>(n));
    for (Index k = 0; k < iterations; ++k) {
      const Eigen::VectorXd products = m * alpha;
      Index t = 0;
      const double a = products.minCoeff(&t);
      const double b = alpha.dot(products);
      const double c = m(t, t);
      const double share = c <= a ? 1 : b <= a ? 0 : (b - a) / (b + c - 2 * a);
      alpha *= 1 - share;
      alpha[t] += share;
      if (share < tolerance) break;
    }
    return alpha;
  }
};

static_assert(Balancer<MGDA>);

}  // namespace plait
