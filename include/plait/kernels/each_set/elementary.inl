namespace plait::simd::PLAIT_SET {

namespace detail {

// c[0] + c[1] x + c[2] x² + ...
template <class Scalar, std::size_t Count>
PLAIT_INLINE inline Packet<Scalar> polynomial(const Scalar (&c)[Count], const Packet<Scalar>& x) {
  auto p = broadcast(c[Count - 1]);
#pragma GCC unroll 28
  for (int i = static_cast<int>(Count) - 2; i >= 0; --i) p = fma(p, x, broadcast(c[i]));
  return p;
}

// e^-x = power (1 + rest) for 0 <= x <= 87.3 (708.3 for double), power a power of two and rest in
// [-0.3, 0.42], relatively exact.
template <class Scalar>
struct Decay {
  Packet<Scalar> power;
  Packet<Scalar> rest;
};
template <class Scalar>
PLAIT_INLINE inline Decay<Scalar> decay_of(const Packet<Scalar>& x) {
  constexpr bool is_float = std::is_same_v<Scalar, float>;
  constexpr int digits = is_float ? 23 : 52;  // of a number's bits, those behind the exponent
  // ln 2 in two parts; products of the first with whole numbers up to 1022 are exact.
  constexpr Scalar most_of_ln2 = is_float ? Scalar(0.693145751953125) : Scalar(0.69314718055920820);
  constexpr Scalar rest_of_ln2 =
      is_float ? Scalar(1.4286068203094172e-6) : Scalar(7.37100256516779890e-13);
  // What is added to this is rounded to a whole number, in the last bits of the sum.
  const auto shift = broadcast(Scalar(1.5) * static_cast<Scalar>(std::int64_t{1} << digits));
  auto sum = fma(x, broadcast(std::numbers::log2e_v<Scalar>), shift);
  const auto whole_bits = bits_of<Scalar>(sum) << digits;
  keep_in_register(sum);
  const auto whole = sum - shift;
  const auto r = fma(whole, broadcast(rest_of_ln2), fma(whole, broadcast(most_of_ln2), -x));
  const auto p = polynomial(simd::detail::exponential<Scalar>, r);
  return {of_bits<Scalar>(bits_of<Scalar>(broadcast(Scalar(1))) - whole_bits), fma(p, r * r, r)};
}
template <class Scalar>
inline constexpr Scalar most_decay = std::is_same_v<Scalar, float> ? Scalar(87.3) : Scalar(708.3);

// `value`, or v where that is NaN.
template <class P>
PLAIT_INLINE inline P unless_nan(const P& v, const P& value) {
  return v == v ? value : v;
}

}  // namespace detail

// e^-x for x >= 0; 0 beyond 87.3 (708.3 for double), just before e^-x leaves the normal numbers:
// those below are slow to compute with, also on the way to 0.
template <class Scalar>
PLAIT_INLINE inline Packet<Scalar> decay(const Packet<Scalar>& x) {
  const auto limit = broadcast(detail::most_decay<Scalar>);
  const auto e = detail::decay_of<Scalar>(smaller(x, limit));
  return limit < x ? broadcast(Scalar(0)) : fma(e.power, e.rest, e.power);
}

// 1 - e^-x for x >= 0, without losing digits where e^-x is almost 1.
template <class Scalar>
PLAIT_INLINE inline Packet<Scalar> decayed(const Packet<Scalar>& x) {
  const auto e = detail::decay_of<Scalar>(smaller(x, broadcast(detail::most_decay<Scalar>)));
  return fma(-e.power, e.rest, broadcast(Scalar(1)) - e.power);
}

// σ(v) = 1 / (1 + e^-v).
template <class Scalar>
PLAIT_INLINE inline Packet<Scalar> sigmoid(const Packet<Scalar>& v) {
  const auto e = decay<Scalar>(absolute<Scalar>(v));
  const auto zero = broadcast(Scalar(0));
  const auto one = broadcast(Scalar(1));
  const Packet<Scalar> above = (v < zero ? e : one) / (one + e);
  return detail::unless_nan(v, above);
}

// tanh v = (1 - e^-2|v|) / (1 + e^-2|v|), with v's sign.
template <class Scalar>
PLAIT_INLINE inline Packet<Scalar> tanh(const Packet<Scalar>& v) {
  const auto size = absolute<Scalar>(v);
  const auto d = decayed<Scalar>(size + size);
  const auto result = d / (broadcast(Scalar(2)) - d);
  return detail::unless_nan(v, of_bits<Scalar>(bits_of<Scalar>(result) | sign_of<Scalar>(v)));
}

// Φ(v), the standard normal distribution function, with a relative error of at most 4 + v²
// epsilons: with x = |v| / √2 and t = 2 / (2 + x), Φ(-|v|) = t/2 e^(p(2t - 1) - x²). (The form is
// that of W. H. Press et al., Numerical Recipes, 6.2.2.)
template <class Scalar>
PLAIT_INLINE inline Packet<Scalar> normal_distribution(const Packet<Scalar>& v) {
  static_assert(std::is_same_v<Scalar, float> || std::is_same_v<Scalar, double>);
  const auto one = broadcast(Scalar(1));
  const auto two = broadcast(Scalar(2));
  const auto half = broadcast(Scalar(0.5));
  const auto x = absolute<Scalar>(v) * broadcast(Scalar(1) / std::numbers::sqrt2_v<Scalar>);
  const auto t = two / (two + x);
  const auto p = detail::polynomial(simd::detail::tail<Scalar>, t + t - one);
  const auto square = half * (v * v);  // x², with one rounding less
  const auto below = half * t * decay<Scalar>(square - p);
  return detail::unless_nan(v, v < broadcast(Scalar(0)) ? below : one - below);
}

}  // namespace plait::simd::PLAIT_SET
