// Zero-inflated lognormal loss: values that are often zero and otherwise heavy-tailed, such as what
// a customer will spend.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>

#include "plait/core/config.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/losses/bce.hpp"
#include "plait/losses/loss.hpp"

namespace plait {

// The smallest standard deviation, √1e-7, that of the authors' code.
inline constexpr double ziln_smallest_deviation = 3.1622776601683795e-4;

// Standard deviation of the logit s: softplus(s) = log(1 + e^s), not below the smallest. ds, unless
// null, is its derivative, 0 where it is the smallest.
template <class Scalar>
Scalar ziln_deviation(Scalar s, Scalar* ds) {
  const Scalar deviation = (std::max)(s, Scalar(0)) + std::log1p(std::exp(-std::abs(s)));
  const bool smallest = deviation < Scalar(ziln_smallest_deviation);
  if (ds) *ds = smallest ? Scalar(0) : sigmoid(s);
  return smallest ? Scalar(ziln_smallest_deviation) : deviation;
}

// Minus the log-likelihood of a value y >= 0 that is positive with probability σ(z_0), and then
// lognormal with mean μ = z_1 and standard deviation s = max(softplus(z_2), √1e-7) of its
// logarithm:
//
//   loss = BCE(z_0, [y > 0]) + [y > 0] (log(y s √2π) + u² / 2),   u = (log y - μ) / s
//   dz_0 = σ(z_0) - [y > 0],  dz_1 = -[y > 0] u / s,  dz_2 = [y > 0] (1 - u²) / s · ds/dz_2
//
// (Wang, Liu and Miao, A deep probabilistic model for customer lifetime value prediction, 2019.) dz
// [3] may be null and must not overlap z.
template <class Scalar>
Scalar zero_inflated_lognormal(const Scalar* z, Scalar y, Scalar* dz) {
  const bool positive = y > 0;
  const Scalar loss = bce_with_logits(z[0], Scalar(positive ? 1 : 0), Scalar(1), dz);
  if (!positive) {
    if (dz) dz[1] = dz[2] = 0;
    return loss;
  }
  Scalar slope = 0;
  const Scalar deviation = ziln_deviation(z[2], &slope);
  const Scalar log_y = std::log(y);
  const Scalar u = (log_y - z[1]) / deviation;
  if (dz) {
    dz[1] = -u / deviation;
    dz[2] = (1 - u * u) / deviation * slope;
  }
  constexpr Scalar log_root_two_pi = Scalar(0.91893853320467274178);
  return loss + log_y + std::log(deviation) + log_root_two_pi + u * u / 2;
}

// Predicts the expected value σ(z_0) exp(μ + s²/2), the probability σ(z_0) of a positive one, and
// the expected value exp(μ + s²/2) of a positive one; infinite where they exceed the Scalar.
struct ZeroInflatedLognormalLoss {
  static Index width() { return 3; }
  static bool accepts(double y) { return std::isfinite(y) && y >= 0; }
  static std::string label_domain() { return "a finite number of at least 0"; }
  template <class Scalar>
  Scalar operator()(const Scalar* z, Scalar y, Scalar* dz) const {
    return zero_inflated_lognormal(z, y, dz);
  }
  template <class Scalar>
  static void predict(const Scalar* z, Scalar* out) {
    const Scalar deviation = ziln_deviation(z[2], static_cast<Scalar*>(nullptr));
    const Scalar log_mean = z[1] + deviation * deviation / 2;
    const Scalar minus_log_p =
        bce_with_logits(z[0], Scalar(1), Scalar(1), static_cast<Scalar*>(nullptr));
    out[1] = sigmoid(z[0]);
    out[0] = std::exp(log_mean - minus_log_p);  // one exponential: p may make up for an overflow
    out[2] = std::exp(log_mean);
  }
};

static_assert(SampleLoss<ZeroInflatedLognormalLoss, float>);

}  // namespace plait
