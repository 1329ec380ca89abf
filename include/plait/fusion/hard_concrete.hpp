// HardConcrete: how much of a connection there is, a number between 0 and 1 that is often exactly 0
// or 1, and whose distribution has a parameter that can be learned.
//
//   s = σ((ln U - ln(1 - U) + a) / β),   U uniform on (0, 1)        drawn once per step
//   z = min(1, max(0, s (ζ - γ) + γ)),   dz/da = 1[0 < z < 1] (ζ - γ) s (1 - s) / β
//
// Without draws ẑ = min(1, max(0, σ(a) (ζ - γ) + γ)), which is what is served. A connection with
// z = 0 passes nothing on and learns nothing in that step. P(z ≠ 0) = σ(a - β ln(-γ / ζ)).
// Source: Louizos et al., "Learning Sparse Neural Networks through L0 Regularization", ICLR 2018.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>

#include "plait/core/config.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/options.hpp"
#include "plait/kernels/activation.hpp"

namespace plait {

struct HardConcrete {
  double beta = 2.0 / 3;
  double gamma = -0.1;
  double zeta = 1.1;

  // Throws ConfigError for a β outside [0.01, 100], γ outside [-100, 0) and ζ outside (1, 100].
  PLAIT_COLD void validate(const std::string& where) const {
    require_config(beta >= 0.01 && beta <= 100, where, "beta", text(beta), "from 0.01 to 100");
    require_config(gamma >= -100 && gamma < 0, where, "gamma", text(gamma),
                   "below 0 and at least -100");
    require_config(zeta > 1 && zeta <= 100, where, "zeta", text(zeta), "above 1 and at most 100");
  }
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("beta", beta);
    visit("gamma", gamma);
    visit("zeta", zeta);
  }

  // P(z ≠ 0) = P, the term of an L0 penalty; dP/da = P (1 - P).
  double nonzero_probability(double a) const { return sigmoid(a - beta * std::log(-gamma / zeta)); }

  // P(z ≠ 0) of n connections.
  template <class Scalar>
  void probabilities(Index n, const Scalar* a, double* p) const {
    for (Index j = 0; j < n; ++j) p[j] = nonzero_probability(static_cast<double>(a[j]));
  }

  // What is kept for the backward of n weights: dz/da.
  static constexpr Index kept_size(Index n) { return n; }

  // z of n connections of logits a; `stream` has their draws, which there are with draws alone.
  template <class Scalar>
  void weigh(Index n, const Scalar* a, const Draws& draws, const CounterRandom& stream, Scalar* z,
             Scalar* kept) const {
    for (Index j = 0; j < n; ++j) {
      double logit = static_cast<double>(a[j]), scale = 1;
      if (draws) {
        const double u = stream.at(static_cast<std::uint64_t>(j)).open_uniform();
        logit += std::log(u) - std::log1p(-u);
        scale = 1 / beta;
      }
      const double s = sigmoid(scale * logit);
      const double stretched = s * (zeta - gamma) + gamma;
      z[j] = static_cast<Scalar>((std::clamp)(stretched, 0.0, 1.0));
      kept[j] = stretched > 0 && stretched < 1
                    ? static_cast<Scalar>((zeta - gamma) * s * (1 - s) * scale)
                    : Scalar(0);
    }
  }
  // Adds da.
  template <class Scalar>
  void backward(Index n, const Scalar* kept, const Scalar* dz, Scalar* da) const {
    for (Index j = 0; j < n; ++j) da[j] += kept[j] * dz[j];
  }
  // Whether connections of weight 0 have a gradient in their weight.
  template <class Scalar>
  static bool learns_from_unused(Index, const Scalar*) {
    return false;
  }
};

}  // namespace plait
