// Elementary functions of packets, for float and double alike, with a relative error of at most
// four epsilons unless said otherwise, and the same for a number wherever it stands in a packet.
// NaN stays NaN.
#pragma once
#include <cstddef>
#include <iterator>
#include <numbers>
#include <type_traits>

#include "plait/kernels/packet.hpp"

namespace plait::simd {

namespace detail {

// ln(2 e^(x²) Φ(-√2 x) (2 + x) / 2) for x >= 0 as a polynomial in u = (2 - x) / (2 + x), ascending:
// interpolated in Chebyshev's points with 60 digits, right to 3e-16 and to 2e-8.
template <class Scalar>
inline constexpr std::conditional_t<std::is_same_v<Scalar, float>, float[12], double[28]> tail = {};
template <>
inline constexpr double tail<double>[28] = {
    -0.671794084056692267,    0.672643223977656788,     0.04734330684190473,
    -0.0468956102311826727,   -0.00987268936640672606,  0.0088249385573277622,
    0.00175893355816543409,   -0.00234581250498258396,  -0.000146246867540451334,
    0.000673678838250606135,  -0.00009373500301998986,  -0.000174303199429746351,
    0.0000714008918909923474, 0.0000317461656435567909, -0.0000301875288422438156,
    1.35091029329579541e-7,   8.56191490492247999e-6,   -2.94309268213418337e-6,
    -1.27134306702365502e-6,  1.24371914167216544e-6,   -1.69392375799956559e-7,
    -2.44046623755816739e-7,  1.53876066692852205e-7,   -1.71106964669531403e-9,
    -3.93565334478099143e-8,  1.22257105512604152e-8,   4.08922248089616682e-9,
    -2.04646703291923744e-9};
template <>
inline constexpr float tail<float>[12] = {-0.6717940928F,   0.6726432125F,    0.04734394039F,
                                          -0.04689478102F,  -0.009880431638F, 0.008815156956F,
                                          0.001795201494F,  -0.002303143465F, -0.00022919226F,
                                          0.0005880716888F, 8.50831661e-6F,   -9.246457796e-5F};

}  // namespace detail

// e^-x for x >= 0; 0 beyond 87.3 (708.3 for double), just before e^-x leaves the normal numbers:
// those below are slow to compute with, also on the way to 0.
template <class Scalar>
Packet<Scalar> decay(const Packet<Scalar>& x) {
  namespace ei = Eigen::internal;
  constexpr Scalar most = std::is_same_v<Scalar, float> ? Scalar(87.3) : Scalar(708.3);
  const auto limit = broadcast(most);
  const auto e = simd::pexp(ei::pnegate(simd::pmin(x, limit)));
  return ei::pselect(ei::pcmp_lt(limit, x), broadcast(Scalar(0)), e);
}

// `value`, or v where that is NaN.
template <class Scalar>
Packet<Scalar> unless_nan(const Packet<Scalar>& v, const Packet<Scalar>& value) {
  return Eigen::internal::pselect(Eigen::internal::pcmp_eq(v, v), value, v);
}

// σ(v) = 1 / (1 + e^-v).
template <class Scalar>
Packet<Scalar> sigmoid(const Packet<Scalar>& v) {
  namespace ei = Eigen::internal;
  const auto e = decay<Scalar>(ei::pabs(v));
  const auto one = broadcast(Scalar(1));
  const auto above = ei::pdiv(one, ei::padd(one, e));
  const auto below = ei::pcmp_lt(v, broadcast(Scalar(0)));
  return unless_nan<Scalar>(v, ei::pselect(below, ei::pmul(e, above), above));
}

// tanh v = (1 - e^-2|v|) / (1 + e^-2|v|), with v's sign.
template <class Scalar>
Packet<Scalar> tanh(const Packet<Scalar>& v) {
  namespace ei = Eigen::internal;
  const auto one = broadcast(Scalar(1));
  const auto size = ei::pabs(v);
  const auto x = ei::padd(size, size);
  const auto e = decay<Scalar>(x);
  // 1 - e^-x without losing digits where e^-x is almost 1: (1 - e) / -ln(e) x, as an error of e is
  // in both (Kahan).
  const auto lost = ei::psub(one, e);
  const auto kept = ei::pdiv(ei::pmul(lost, x), ei::pnegate(simd::plog(e)));
  auto difference = ei::pselect(ei::pcmp_lt(broadcast(Scalar(0.5)), e), kept, lost);
  difference = ei::pselect(ei::pcmp_eq(e, one), x, difference);
  const auto result = ei::pdiv(difference, ei::padd(one, e));
  const auto below = ei::pcmp_lt(v, broadcast(Scalar(0)));
  return unless_nan<Scalar>(v, ei::pselect(below, ei::pnegate(result), result));
}

// Φ(v), the standard normal distribution function, with a relative error of at most 4 + v²
// epsilons: with x = |v| / √2 and t = 2 / (2 + x), Φ(-|v|) = t/2 e^(p(2t - 1) - x²). (The form is
// that of W. H. Press et al., Numerical Recipes, 6.2.2.)
template <class Scalar>
Packet<Scalar> normal_distribution(const Packet<Scalar>& v) {
  namespace ei = Eigen::internal;
  static_assert(std::is_same_v<Scalar, float> || std::is_same_v<Scalar, double>);
  constexpr auto& coefficients = detail::tail<Scalar>;
  constexpr std::size_t count = std::size(coefficients);
  const auto one = broadcast(Scalar(1));
  const auto two = broadcast(Scalar(2));
  const auto half = broadcast(Scalar(0.5));
  const auto x = ei::pmul(ei::pabs(v), broadcast(Scalar(1) / std::numbers::sqrt2_v<Scalar>));
  const auto t = ei::pdiv(two, ei::padd(two, x));
  const auto u = ei::psub(ei::padd(t, t), one);
  auto p = broadcast(coefficients[count - 1]);
  for (std::size_t i = count - 1; i-- > 0;) p = ei::pmadd(p, u, broadcast(coefficients[i]));
  const auto square = ei::pmul(half, ei::pmul(v, v));  // x², with one rounding less
  const auto e = decay<Scalar>(ei::psub(square, p));
  const auto below = ei::pmul(ei::pmul(half, t), e);
  const auto negative = ei::pcmp_lt(v, broadcast(Scalar(0)));
  return unless_nan<Scalar>(v, ei::pselect(negative, below, ei::psub(one, below)));
}

}  // namespace plait::simd
