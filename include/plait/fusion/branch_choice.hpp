// BranchChoice: one of n connections, z one-hot, chosen at random by learned logits a and learned
// by the straight-through estimator.
//
//   p = softmax((a + G) / τ),   G_j = -ln(-ln U_j),   U uniform on (0, 1)      drawn once per step
//   z = the one-hot of p's largest;   da_j = (1/τ) p_j (dz_j - Σ_k p_k dz_k), as if z were p
//
// so that connections which were not chosen have a dz too. In the first steps, a warm-up, all are
// taken, z_j = 1. Without draws z is the one-hot of the largest logit, the first of equal ones.
// Source: Jang et al., "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017; the warm-up
// is that of LibMTL's architecture/LTB.py.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>

#include "plait/core/annealing.hpp"
#include "plait/core/config.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/options.hpp"

namespace plait {

// -ln(-ln U).
inline double gumbel(const CounterRandom& place) {
  return -std::log(-std::log(place.open_uniform()));
}

struct BranchChoice {
  Annealing temperature{};
  double warmup_steps = 0;

  PLAIT_COLD void validate(const std::string& where) const {
    temperature.validate(where);
    require_config(std::isfinite(warmup_steps) && warmup_steps >= 0, where, "warmup_steps",
                   text(warmup_steps), "a finite number of at least 0");
  }
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("temperature", temperature);
    visit("warmup_steps", warmup_steps);
  }

  // What is kept for the backward of n weights: p and 1/τ, or 0 where a has no gradient.
  static constexpr Index kept_size(Index n) { return n + 1; }

  template <class Scalar>
  void weigh(Index n, const Scalar* a, const Draws& draws, const CounterRandom& stream, Scalar* z,
             Scalar* kept) const {
    kept[n] = 0;
    if (draws && static_cast<double>(draws.step) < warmup_steps) {
      std::fill_n(z, n, Scalar(1));
      return;
    }
    const double scale = draws ? 1 / temperature.at(draws.step) : 1;
    const auto noisy = [&](Index j) {
      const double logit = static_cast<double>(a[j]);
      return draws ? logit + gumbel(stream.at(static_cast<std::uint64_t>(j))) : logit;
    };
    Index chosen = 0;
    double largest = noisy(0);
    for (Index j = 1; j < n; ++j)
      if (const double logit = noisy(j); logit > largest) {
        chosen = j;
        largest = logit;
      }
    std::fill_n(z, n, Scalar(0));
    z[chosen] = 1;
    if (!draws) return;
    double total = 0;
    for (Index j = 0; j < n; ++j) total += std::exp(scale * (noisy(j) - largest));
    for (Index j = 0; j < n; ++j)
      kept[j] = static_cast<Scalar>(std::exp(scale * (noisy(j) - largest)) / total);
    kept[n] = static_cast<Scalar>(scale);
  }
  // Adds da.
  template <class Scalar>
  void backward(Index n, const Scalar* kept, const Scalar* dz, Scalar* da) const {
    if (kept[n] == 0) return;
    Scalar mean = 0;
    for (Index j = 0; j < n; ++j) mean += kept[j] * dz[j];
    for (Index j = 0; j < n; ++j) da[j] += kept[n] * kept[j] * (dz[j] - mean);
  }
  template <class Scalar>
  static bool learns_from_unused(Index n, const Scalar* kept) {
    return kept[n] != 0;
  }
};

}  // namespace plait
