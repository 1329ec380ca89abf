// MGDA: the point of least norm in the convex hull of the gradients (Désidéri, C. R. Math. 2012;
// Sener and Koltun, NeurIPS 2018).
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/nonnegative_qp.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/unit_gramian.hpp"

namespace plait {

enum class MGDASolver {
  exact,        // an active-set method, for any number of tasks
  frank_wolfe,  // Sener and Koltun's algorithm 2, from equal weights
};
template <>
struct EnumNames<MGDASolver> {
  static constexpr std::array<std::string_view, 2> names{"exact", "frank_wolfe"};
};

enum class MGDANormalisation {
  none,
  l2,       // g_t / ‖g_t‖
  loss,     // g_t / L_t
  loss_l2,  // g_t / (L_t ‖g_t‖)
};
template <>
struct EnumNames<MGDANormalisation> {
  static constexpr std::array<std::string_view, 4> names{"none", "l2", "loss", "loss_l2"};
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

  static constexpr std::string_view name = "MGDA";
  static constexpr bool needs_gramian = true;

  void fields(FieldVisitor& visit) {
    visit("solver", solver);
    visit("normalisation", normalisation);
    visit("tolerance", tolerance);
    visit("iterations", iterations);
  }

  // Throws ConfigError unless tolerance is a finite number of at least 0 and iterations at least 1.
  void validate(Index) const {
    require_config(std::isfinite(tolerance) && tolerance >= 0, "MGDA", "tolerance", text(tolerance),
                   "a finite number of at least 0");
    require_config(iterations >= 1, "MGDA", "iterations", text(iterations), "at least 1");
  }

  // Throws ValueError, with a normalisation by losses, for a loss that is not above 0 though the
  // task has a gradient.
  void weights(const BalancingInput& input, MethodState&, std::span<double> out,
               Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    detail::UnitGramian unit(input.gramian, scratch);
    const Index n = unit.size();
    if (n == 0) return std::fill(out.begin(), out.end(), 0.0);
    detail::Numbers lengths = detail::take_numbers(scratch, n);
    find_lengths(unit, input.losses, lengths);
    detail::Square& m = unit.cosines;
    detail::scale_both_sides(unit.cosines, lengths, m);
    detail::Numbers alpha = detail::take_numbers(scratch, n);
    if (solver == MGDASolver::exact)
      detail::least_norm_weights(m, alpha, scratch);
    else
      frank_wolfe(m, alpha, scratch);
    unit.spread(alpha, out);
  }

 private:
  // Of the normalised gradients.
  void find_lengths(const detail::UnitGramian& unit, std::span<const double> losses,
                    detail::Numbers& lengths) const {
    using enum MGDANormalisation;
    const bool by_length = normalisation == l2 || normalisation == loss_l2;
    const bool by_loss = normalisation == loss || normalisation == loss_l2;
    for (Index i = 0; i < unit.size(); ++i) {
      lengths[i] = by_length ? 1 : unit.norms[i];
      if (!by_loss) continue;
      const Index t = unit.task(i);
      if (t >= std::ssize(losses))
        throw ShapeError("MGDA", "losses", text(losses.size()), "one per task");
      const double of_task = losses[static_cast<std::size_t>(t)];
      if (!(of_task > 0))
        throw ValueError("MGDA", text("loss of task ", t), text(of_task), "above 0");
      lengths[i] /= of_task;
    }
  }

  void frank_wolfe(const detail::Square& m, detail::Numbers& alpha, Scratch& scratch) const {
    const Index n = m.rows();
    detail::Numbers products = detail::take_numbers(scratch, n);
    detail::fill(alpha, 1.0 / static_cast<double>(n));
    for (Index k = 0; k < iterations; ++k) {
      detail::multiply(m, alpha, products);
      const Index t = std::min_element(products.begin(), products.end()) - products.begin();
      const double a = products[t];
      const double b = detail::dot(alpha, products);
      const double c = m(t, t);
      const double share = c <= a ? 1 : b <= a ? 0 : (b - a) / (b + c - 2 * a);
      for (Index i = 0; i < n; ++i) alpha[i] *= 1 - share;
      alpha[t] += share;
      if (share < tolerance) break;
    }
  }
};

static_assert(BalancingMethod<MGDA>);

}  // namespace plait
