// A packet is a vector of GCC and clang: + - * / and comparisons work number by number, a plain
// number stands for a packet of it, and `a < b ? x : y` chooses number by number.
namespace plait::simd::PLAIT_SET {

namespace detail {

template <class Scalar>
struct PacketOf;
template <>
struct PacketOf<float> {
  typedef float Type __attribute__((vector_size(PLAIT_SET_BYTES)));
  typedef std::int32_t Bits __attribute__((vector_size(PLAIT_SET_BYTES)));
  typedef float Anywhere __attribute__((vector_size(PLAIT_SET_BYTES), aligned(4), may_alias));
};
template <>
struct PacketOf<double> {
  typedef double Type __attribute__((vector_size(PLAIT_SET_BYTES)));
  typedef std::int64_t Bits __attribute__((vector_size(PLAIT_SET_BYTES)));
  typedef double Anywhere __attribute__((vector_size(PLAIT_SET_BYTES), aligned(8), may_alias));
};

}  // namespace detail

template <class Scalar>
using Packet = typename detail::PacketOf<Scalar>::Type;
// Whole numbers as wide as the packet's.
template <class Scalar>
using Bits = typename detail::PacketOf<Scalar>::Bits;

// Numbers in a packet.
template <class Scalar>
inline constexpr Index width = Index{PLAIT_SET_BYTES} / Index{sizeof(Scalar)};

// Registers that the set has.
inline constexpr int registers = PLAIT_SET_REGISTERS;

#if PLAIT_SET_BYTES > 16 || defined(__aarch64__)
inline constexpr bool has_fma = true;
#else
inline constexpr bool has_fma = false;
#endif

template <class Scalar>
PLAIT_INLINE inline Packet<Scalar> load(const Scalar* from) {
  return *reinterpret_cast<const typename detail::PacketOf<Scalar>::Anywhere*>(from);
}
template <class Scalar>
PLAIT_INLINE inline void store(Scalar* to, const Packet<Scalar>& p) {
  *reinterpret_cast<typename detail::PacketOf<Scalar>::Anywhere*>(to) = p;
}

#if PLAIT_SET_BYTES == 64
PLAIT_INLINE inline Packet<float> broadcast(float v) { return _mm512_set1_ps(v); }
PLAIT_INLINE inline Packet<double> broadcast(double v) { return _mm512_set1_pd(v); }
#elif PLAIT_SET_BYTES == 32
PLAIT_INLINE inline Packet<float> broadcast(float v) { return _mm256_set1_ps(v); }
PLAIT_INLINE inline Packet<double> broadcast(double v) { return _mm256_set1_pd(v); }
#else
PLAIT_INLINE inline Packet<float> broadcast(float v) { return Packet<float>{v, v, v, v}; }
PLAIT_INLINE inline Packet<double> broadcast(double v) { return Packet<double>{v, v}; }
#endif

// a b + c, with one rounding where the set has it.
#if PLAIT_SET_BYTES == 64
PLAIT_INLINE inline Packet<float> fma(const Packet<float>& a, const Packet<float>& b,
                                      const Packet<float>& c) {
  return _mm512_fmadd_ps(a, b, c);
}
PLAIT_INLINE inline Packet<double> fma(const Packet<double>& a, const Packet<double>& b,
                                       const Packet<double>& c) {
  return _mm512_fmadd_pd(a, b, c);
}
#elif PLAIT_SET_BYTES == 32
PLAIT_INLINE inline Packet<float> fma(const Packet<float>& a, const Packet<float>& b,
                                      const Packet<float>& c) {
  return _mm256_fmadd_ps(a, b, c);
}
PLAIT_INLINE inline Packet<double> fma(const Packet<double>& a, const Packet<double>& b,
                                       const Packet<double>& c) {
  return _mm256_fmadd_pd(a, b, c);
}
#elif defined(__aarch64__)
PLAIT_INLINE inline Packet<float> fma(const Packet<float>& a, const Packet<float>& b,
                                      const Packet<float>& c) {
  return vfmaq_f32(c, a, b);
}
PLAIT_INLINE inline Packet<double> fma(const Packet<double>& a, const Packet<double>& b,
                                       const Packet<double>& c) {
  return vfmaq_f64(c, a, b);
}
#else
PLAIT_INLINE inline Packet<float> fma(const Packet<float>& a, const Packet<float>& b,
                                      const Packet<float>& c) {
  return a * b + c;
}
PLAIT_INLINE inline Packet<double> fma(const Packet<double>& a, const Packet<double>& b,
                                       const Packet<double>& c) {
  return a * b + c;
}
#endif

#if PLAIT_SET_BYTES == 64
PLAIT_INLINE inline Packet<float> sqrt(const Packet<float>& a) {
  return _mm512_maskz_sqrt_ps(static_cast<__mmask16>(-1), a);
}
PLAIT_INLINE inline Packet<double> sqrt(const Packet<double>& a) {
  return _mm512_maskz_sqrt_pd(static_cast<__mmask8>(-1), a);
}
#elif PLAIT_SET_BYTES == 32
PLAIT_INLINE inline Packet<float> sqrt(const Packet<float>& a) { return _mm256_sqrt_ps(a); }
PLAIT_INLINE inline Packet<double> sqrt(const Packet<double>& a) { return _mm256_sqrt_pd(a); }
#elif defined(__SSE2__)
PLAIT_INLINE inline Packet<float> sqrt(const Packet<float>& a) { return _mm_sqrt_ps(a); }
PLAIT_INLINE inline Packet<double> sqrt(const Packet<double>& a) { return _mm_sqrt_pd(a); }
#elif defined(__aarch64__)
PLAIT_INLINE inline Packet<float> sqrt(const Packet<float>& a) { return vsqrtq_f32(a); }
PLAIT_INLINE inline Packet<double> sqrt(const Packet<double>& a) { return vsqrtq_f64(a); }
#else
PLAIT_INLINE inline Packet<float> sqrt(const Packet<float>& a) {
  return {__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]),
          __builtin_sqrtf(a[3])};
}
PLAIT_INLINE inline Packet<double> sqrt(const Packet<double>& a) {
  return {__builtin_sqrt(a[0]), __builtin_sqrt(a[1])};
}
#endif

// The larger and the smaller number; a where they do not compare.
template <class P>
PLAIT_INLINE inline P larger(const P& a, const P& b) {
  return a < b ? b : a;
}
template <class P>
PLAIT_INLINE inline P smaller(const P& a, const P& b) {
  return b < a ? b : a;
}

template <class Scalar>
PLAIT_INLINE inline Bits<Scalar> bits_of(const Packet<Scalar>& p) {
  return reinterpret_cast<Bits<Scalar>>(p);
}
template <class Scalar>
PLAIT_INLINE inline Packet<Scalar> of_bits(const Bits<Scalar>& bits) {
  return reinterpret_cast<Packet<Scalar>>(bits);
}
// The bit that is a number's sign.
template <class Scalar>
PLAIT_INLINE inline Bits<Scalar> sign_of(const Packet<Scalar>& p) {
  return bits_of<Scalar>(p) & bits_of<Scalar>(broadcast(-Scalar(0)));
}
template <class Scalar>
PLAIT_INLINE inline Packet<Scalar> absolute(const Packet<Scalar>& p) {
  return of_bits<Scalar>(bits_of<Scalar>(p) & ~bits_of<Scalar>(broadcast(-Scalar(0))));
}

// Asks for the numbers so many bytes further in a stream (negative for one that runs backwards):
// hardware starts streams anew at every page and does not look far enough ahead where there is
// little work per number.
template <Index Bytes, class Scalar>
PLAIT_INLINE inline void prefetch_ahead(const Scalar* stream) {
  __builtin_prefetch(stream + Bytes / Index{sizeof(Scalar)});
}

// Asks for one line that will be read, or written, soon. `there` need not exist.
template <class Scalar>
PLAIT_INLINE inline void prefetch(const Scalar* there) {
  __builtin_prefetch(there);
}
template <class Scalar>
PLAIT_INLINE inline void prefetch_to_write(Scalar* there) {
  __builtin_prefetch(there, 1);
}

// Keeps the compiler from reading a packet from memory again at every use, which would take the
// loads that the numbers of the other operand need, and from computing through it.
template <class P>
PLAIT_INLINE inline void keep_in_register([[maybe_unused]] P& p) {
#if PLAIT_SET_BYTES == 64
  asm("" : "+v"(p));
#elif PLAIT_SET_BYTES == 32 || defined(__SSE2__)
  asm("" : "+x"(p));
#elif defined(__aarch64__)
  asm("" : "+w"(p));
#endif
}

namespace detail {

// The numbers of p, each `Distance` places from where it was, and back.
template <int Distance, class P, std::size_t... Places>
PLAIT_INLINE inline P exchange(const P& p, std::index_sequence<Places...>) {
  return __builtin_shufflevector(p, p, (static_cast<int>(Places) ^ Distance)...);
}
// The numbers of a and b by turns: of the first or of the second half of both.
template <bool Second, class P, std::size_t... Places>
PLAIT_INLINE inline P interleave(const P& a, const P& b, std::index_sequence<Places...>) {
  constexpr int count = sizeof...(Places);
  return __builtin_shufflevector(
      a, b,
      (static_cast<int>(Places) / 2 + (Second ? count / 2 : 0) + (Places % 2 == 1 ? count : 0))...);
}
template <class Scalar>
using Places = std::make_index_sequence<static_cast<std::size_t>(width<Scalar>)>;

#if PLAIT_SET_BYTES == 32
// The mask of the first `count` numbers of `bytes` each.
PLAIT_INLINE inline __m256i first_numbers(Index bytes, Index count) {
  static constexpr std::int64_t ones_then_zeros[8] = {-1, -1, -1, -1, 0, 0, 0, 0};
  const auto* from = reinterpret_cast<const char*>(ones_then_zeros) + 32 - count * bytes;
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
#endif

}  // namespace detail

// Of all numbers of a packet, their sum and the largest.
template <class Scalar>
PLAIT_INLINE inline Scalar sum(Packet<Scalar> p) {
  using All = detail::Places<Scalar>;
  if constexpr (width<Scalar> == 16) p = p + detail::exchange<8>(p, All());
  if constexpr (width<Scalar> >= 8) p = p + detail::exchange<4>(p, All());
  if constexpr (width<Scalar> >= 4) p = p + detail::exchange<2>(p, All());
  p = p + detail::exchange<1>(p, All());
  return p[0];
}
template <class Scalar>
PLAIT_INLINE inline Scalar largest(Packet<Scalar> p) {
  using All = detail::Places<Scalar>;
  if constexpr (width<Scalar> == 16) p = larger(p, detail::exchange<8>(p, All()));
  if constexpr (width<Scalar> >= 8) p = larger(p, detail::exchange<4>(p, All()));
  if constexpr (width<Scalar> >= 4) p = larger(p, detail::exchange<2>(p, All()));
  p = larger(p, detail::exchange<1>(p, All()));
  return p[0];
}

// rows[i][j] becomes what rows[j][i] was: interleaving every row with the one half a square further
// takes the last bit of a number's row to its column, once per bit.
template <class Scalar>
PLAIT_INLINE inline void transpose(Packet<Scalar> (&rows)[std::size_t{width<Scalar>}]) {
  constexpr int n = static_cast<int>(width<Scalar>);
  using All = detail::Places<Scalar>;
#pragma GCC unroll 4
  for (int step = 1; step < n; step *= 2) {
    Packet<Scalar> next[std::size_t{n}];
#pragma GCC unroll 8
    for (int i = 0; i < n / 2; ++i) {
      next[2 * i] = detail::interleave<false>(rows[i], rows[i + n / 2], All());
      next[2 * i + 1] = detail::interleave<true>(rows[i], rows[i + n / 2], All());
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) rows[i] = next[i];
  }
}

// The first `count` numbers, 0 <= count <= width, and `other` behind them. Reads and writes nothing
// beyond them.
template <class Scalar>
PLAIT_INLINE inline Packet<Scalar> load_part(const Scalar* from, Index count, Scalar other = 0) {
#if PLAIT_SET_BYTES == 64
  if constexpr (sizeof(Scalar) == 4) {
    return _mm512_mask_loadu_ps(broadcast(other), static_cast<__mmask16>((1U << count) - 1U), from);
  } else {
    return _mm512_mask_loadu_pd(broadcast(other), static_cast<__mmask8>((1U << count) - 1U), from);
  }
#elif PLAIT_SET_BYTES == 32
  const __m256i mask = detail::first_numbers(sizeof(Scalar), count);
  if constexpr (sizeof(Scalar) == 4) {
    return _mm256_blendv_ps(broadcast(other), _mm256_maskload_ps(from, mask),
                            _mm256_castsi256_ps(mask));
  } else {
    return _mm256_blendv_pd(broadcast(other), _mm256_maskload_pd(from, mask),
                            _mm256_castsi256_pd(mask));
  }
#else
  alignas(PLAIT_SET_BYTES) Scalar numbers[std::size_t{width<Scalar>}];
  store(numbers, broadcast(other));
  for (Index i = 0; i < count; ++i) numbers[i] = from[i];
  return load(numbers);
#endif
}
template <class Scalar>
PLAIT_INLINE inline void store_part(Scalar* to, const Packet<Scalar>& p, Index count) {
#if PLAIT_SET_BYTES == 64
  if constexpr (sizeof(Scalar) == 4) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << count) - 1U), p);
  } else {
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1U << count) - 1U), p);
  }
#elif PLAIT_SET_BYTES == 32
  const __m256i mask = detail::first_numbers(sizeof(Scalar), count);
  if constexpr (sizeof(Scalar) == 4) {
    _mm256_maskstore_ps(to, mask, p);
  } else {
    _mm256_maskstore_pd(to, mask, p);
  }
#else
  alignas(PLAIT_SET_BYTES) Scalar numbers[std::size_t{width<Scalar>}];
  store(numbers, p);
  for (Index i = 0; i < count; ++i) to[i] = numbers[i];
#endif
}

namespace detail {

// How for_each_packet's function reads and writes a packet: whole, or the first numbers of it.
template <class Scalar>
struct Whole {
  PLAIT_INLINE Packet<Scalar> load(const Scalar* from) const { return PLAIT_SET::load(from); }
  PLAIT_INLINE void store(Scalar* to, const Packet<Scalar>& p) const { PLAIT_SET::store(to, p); }
};
template <class Scalar>
struct Part {
  Index count;
  PLAIT_INLINE Packet<Scalar> load(const Scalar* from) const { return load_part(from, count); }
  PLAIT_INLINE void store(Scalar* to, const Packet<Scalar>& p) const { store_part(to, p, count); }
};

}  // namespace detail

// f(i, memory) over [0, n) packet by packet, the last one in part: i is the packet's first number,
// memory.load(p) reads it from a pointer to that, and memory.store(p, v) writes it. Declare f
// PLAIT_INLINE.
template <class Scalar, class F>
PLAIT_INLINE inline void for_each_packet(Index n, const F& f) {
  constexpr Index w = width<Scalar>;
  Index i = 0;
  for (; i + w <= n; i += w) f(i, detail::Whole<Scalar>{});
  if (i < n) f(i, detail::Part<Scalar>{n - i});
}

}  // namespace plait::simd::PLAIT_SET

// Where kernels are, `simd` means the packets of their set.
namespace plait::kernels::PLAIT_SET {
namespace simd = plait::simd::PLAIT_SET;
}
namespace plait::detail::PLAIT_SET {
namespace simd = plait::simd::PLAIT_SET;
}
