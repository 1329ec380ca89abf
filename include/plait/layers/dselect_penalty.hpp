// DSelectPenalty: what DSelect-k adds to the loss, for every selector (and, per example, every
// row).
//
//   Ω = λ Σ_e -r(e) ln(r(e) + 10⁻⁶) + ρ / Σ_e r(e)
//
// The entropy presses a selector to choose. The other term, of n that are no power of two alone,
// keeps it on the codes below n: it is infinite for one that has left them for good, from where no
// gradient leads back. Both are sums over rows, not means: weigh them by the batch. (Static routing
// has one row for all.)
//
//   dr(e) = -λ (ln(r(e) + 10⁻⁶) + r(e) / (r(e) + 10⁻⁶)) - ρ / (Σ_e r(e))²
//
// Source: google-research dselect_k_moe, where λ may follow a schedule and ρ is 1.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "plait/core/scratch.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/dselect.hpp"

namespace plait {

// Of ρ / (Σ_e r(e))²: what is larger is lost as well, and would overflow on its way back.
template <class Scalar>
inline constexpr Scalar largest_pull = Scalar(1e30);

struct DSelectPenalty {
  double entropy = 0;    // λ
  double reachable = 1;  // ρ
};

// Of z [B, 1, k m], the sum over selectors and rows; dz is overwritten with the gradient.
template <class Scalar>
double dselect_penalty(const DSelectPenalty& penalty, Index num_experts, Scalar gamma,
                       ConstView3<Scalar> z, View3<Scalar> dz, Scratch& scratch) {
  constexpr auto epsilon = Scalar(1e-6);
  const Index n = num_experts, bits = kernels::code_bits(n);
  const Scratch::Frame frame(scratch);
  Scalar* const nodes = scratch.take<Scalar>(1, 1, kernels::selector_nodes(n)).data();
  Scalar* const dr = scratch.take<Scalar>(1, 1, n).data();
  const auto lambda = static_cast<Scalar>(penalty.entropy);
  const bool all_codes = std::has_single_bit(static_cast<std::uint64_t>(n));
  const double rho = all_codes ? 0 : penalty.reachable;
  kernels::SmoothSteps<Scalar> steps;
  double value = 0;
  for (Index b = 0; b < z.batch(); ++b)
    for (Index first = 0; first < z.dim(); first += bits) {
      kernels::smooth_steps(bits, z.row(b) + first, gamma, steps);
      const Scalar* const r = kernels::selector(n, steps, nodes);
      Scalar sum = 0;
      for (Index e = 0; e < n; ++e) {
        const Scalar log = std::log(r[e] + epsilon);
        sum += r[e];
        value -= static_cast<double>(lambda * r[e] * log);
        dr[e] = -lambda * (log + r[e] / (r[e] + epsilon));
      }
      if (rho != 0) value += rho / static_cast<double>(sum);
      const double pull = rho / static_cast<double>(sum) / static_cast<double>(sum);
      const bool leads_back = rho != 0 && pull <= double{largest_pull<Scalar>};
      for (Index e = 0; leads_back && e < n; ++e) dr[e] -= static_cast<Scalar>(pull);
      kernels::selector_backward(n, steps, nodes, Scalar(1), dr, dz.row(b) + first);
    }
  return value;
}

}  // namespace plait
