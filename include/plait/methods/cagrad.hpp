// CAGrad: conflict-averse gradient descent (Liu et al., NeurIPS 2021).
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/factor.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/nonnegative_qp.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/unit_gramian.hpp"

namespace plait {

enum class CAGradRescale {
  none,        // the paper
  by_squared,  // d / (1 + c²), the default of the authors' code
  by_one,      // d / (1 + c)
};
template <>
struct EnumNames<CAGradRescale> {
  static constexpr std::array<std::string_view, 3> names{"none", "by_squared", "by_one"};
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

  static constexpr std::string_view name = "CAGrad";
  static constexpr bool needs_gramian = true;

  void fields(FieldVisitor& visit) {
    visit("c", c);
    visit("rescale", rescale);
  }

  // Throws ConfigError unless c is a finite number of at least 0 that float can hold.
  void validate(Index) const {
    require_config(std::isfinite(c) && c >= 0, "CAGrad", "c", text(c),
                   "a finite number of at least 0");
    detail::validate_factor("CAGrad", "c", c);
  }

  void weights(const BalancingInput& input, MethodState&, std::span<double> out,
               Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const detail::UnitGramian unit(input.gramian, scratch);
    const Index n = unit.size();
    if (n == 0) return std::fill(out.begin(), out.end(), 0.0);
    detail::Square m = detail::take_square(scratch, n);
    detail::scale_both_sides(unit.cosines, unit.norms, m);
    detail::Numbers mean = detail::take_numbers(scratch, n);
    detail::fill(mean, 1.0 / static_cast<double>(n));
    detail::Numbers u = detail::take_numbers(scratch, n);
    find_addition(m, mean, u, scratch);
    for (Index t = 0; t < n; ++t) u[t] = (mean[t] + u[t]) / divisor();
    unit.spread(u, out);
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
  void find_addition(const detail::Square& m, const detail::Numbers& mean, detail::Numbers& u,
                     Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const Index n = m.rows();
    detail::Numbers products = detail::take_numbers(scratch, n);
    detail::multiply(m, mean, products);
    const double length = std::sqrt((std::max)(0.0, detail::dot(mean, products)));
    const double radius = c * length;
    if (!(radius > 0)) return detail::fill(u, 0);
    detail::Numbers linear = detail::take_numbers(scratch, n);
    const auto find_nearest = [&](double level) {
      for (Index t = 0; t < n; ++t) linear[t] = products[t] - level;
      detail::solve_nonnegative_qp(m, linear, u, scratch);
    };
    const auto distance = [&] {
      return std::sqrt((std::max)(0.0, detail::quadratic(m, u, scratch)));
    };

    double level = 0;
    find_nearest(level);
    if (distance() <= radius) {
      detail::Numbers hull = detail::take_numbers(scratch, n);
      detail::least_norm_weights(m, hull, scratch);
      if (detail::combines_to_zero(m, hull, scratch)) return;
      // No d in the ball reaches more.
      level = (length + radius) * std::sqrt(detail::quadratic(m, hull, scratch));
      find_nearest(level);
    }
    for (int k = 0; k < 100; ++k) {
      const double reached = distance();
      const double next = level - (reached - radius) * reached / detail::sum(u);
      if (!(next < level)) break;
      level = next;
      find_nearest(level);
    }
  }
};

static_assert(BalancingMethod<CAGrad>);

}  // namespace plait
