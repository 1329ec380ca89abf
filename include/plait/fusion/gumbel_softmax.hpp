// Gumbel-softmax: one of n drawn in proportion to exp(a), in a way from which a can learn.
//
//   p = softmax((a + G) / τ),   G_j = -ln(-ln U_j),   U uniform on (0, 1)      drawn once per step
//   chosen = argmax p,   P(chosen = j) = softmax(a)_j whatever τ
//   da_j = (1/τ) p_j (dp_j - Σ_k p_k dp_k)
//
// Without draws the largest of a is chosen, the first of equal ones, and a learns nothing. What is
// kept for the backward, [n + 1], are p and 1/τ; the last is 0 where a learns nothing.
// Source: Jang et al., "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "plait/core/annealing.hpp"
#include "plait/core/config.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/core/options.hpp"

namespace plait {

// -ln(-ln U).
inline double gumbel(const CounterRandom& place) {
  return -std::log(-std::log(place.open_uniform()));
}

// Which of n with logits a is chosen. `stream` has their draws, which there are with draws alone;
// p is written with draws alone.
template <class Scalar>
Index gumbel_softmax(Index n, const Scalar* a, const Draws& draws, const CounterRandom& stream,
                     const Annealing& temperature, Scalar* kept) {
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
  kept[n] = 0;
  if (!draws) return chosen;
  const double scale = 1 / temperature.at(draws.step);
  double total = 0;
  for (Index j = 0; j < n; ++j) total += std::exp(scale * (noisy(j) - largest));
  for (Index j = 0; j < n; ++j)
    kept[j] = static_cast<Scalar>(std::exp(scale * (noisy(j) - largest)) / total);
  kept[n] = static_cast<Scalar>(scale);
  return chosen;
}

// P(chosen = j) of n with logits a.
template <class Scalar>
void chosen_probabilities(Index n, const Scalar* a, double* probabilities) {
  double largest = static_cast<double>(a[0]), total = 0;
  for (Index j = 1; j < n; ++j) largest = (std::max)(largest, static_cast<double>(a[j]));
  for (Index j = 0; j < n; ++j) {
    probabilities[j] = std::exp(static_cast<double>(a[j]) - largest);
    total += probabilities[j];
  }
  for (Index j = 0; j < n; ++j) probabilities[j] /= total;
}

// Adds da.
template <class Scalar>
void gumbel_softmax_backward(Index n, const Scalar* kept, const Scalar* dp, Scalar* da) {
  if (kept[n] == 0) return;
  Scalar mean = 0;
  for (Index j = 0; j < n; ++j) mean += kept[j] * dp[j];
  for (Index j = 0; j < n; ++j) da[j] += kept[n] * kept[j] * (dp[j] - mean);
}

}  // namespace plait
