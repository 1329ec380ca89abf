// Elementary functions of packets, for float and double alike, with a relative error of at most
// four epsilons unless said otherwise, and the same for a number wherever it stands in a packet.
// NaN stays NaN.
#pragma once
#include <cstddef>
#include <iterator>
#include <numbers>
#include <type_traits>

#include "plait/kernels/packet.hpp"

namespace plait::simd::detail {

// (e^r - 1 - r) / r² for |r| <= ln 2 / 2 as a polynomial, ascending: interpolated in Chebyshev's
// points with 60 digits; e^r - 1 is then right to 5e-10 and to 6e-19 of itself.
template <class Scalar>
inline constexpr std::conditional_t<std::is_same_v<Scalar, float>, float[6], double[11]>
    exponential = {};
template <>
inline constexpr float exponential<float>[6] = {0.50000000135F,  0.16666666682F,
                                                0.041666464478F, 0.0083333108758F,
                                                0.001393369961F, 0.00019891045921F};
template <>
inline constexpr double exponential<double>[11] = {0.5,
                                                   0.1666666666666667101,
                                                   0.04166666666666666977,
                                                   0.008333333333326103194,
                                                   0.00138888888888837255,
                                                   0.0001984126987493220102,
                                                   0.00002480158732562741864,
                                                   2.755725525875986318e-6,
                                                   2.75572735421021047e-7,
                                                   2.510527584193696749e-8,
                                                   2.091472898414877265e-9};

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

}  // namespace plait::simd::detail

#define PLAIT_EACH_SET "plait/kernels/each_set/elementary.inl"
#include "plait/kernels/each_set.hpp"
