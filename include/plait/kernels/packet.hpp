// Packet: the machine's vector of numbers, through the packet math that Eigen's own kernels use:
// one source for SSE2, AVX2, AVX-512 and NEON, chosen by the compiler's flags (scalars elsewhere).
#pragma once
#include <cstdint>

#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"

namespace plait::simd {

template <class Scalar>
using Packet = typename Eigen::internal::packet_traits<Scalar>::type;

// Numbers in a packet.
template <class Scalar>
inline constexpr Index width = Eigen::internal::unpacket_traits<Packet<Scalar>>::size;

// Vector registers that the machine has.
inline constexpr int registers = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS;

#ifdef EIGEN_VECTORIZE_FMA
inline constexpr bool has_fma = true;
#else
inline constexpr bool has_fma = false;
#endif

#ifdef PLAIT_COMPILED
// A packed weight is laid out for the machine's packets: a unit that is compiled for others than
// the compiled library does not link with it.
#if defined(EIGEN_VECTORIZE_AVX512)
#define PLAIT_COMPILED_FOR compiled_for_avx512
#elif defined(EIGEN_VECTORIZE_AVX)
#define PLAIT_COMPILED_FOR compiled_for_avx
#elif defined(EIGEN_VECTORIZE)
#define PLAIT_COMPILED_FOR compiled_for_128_bits
#else
#define PLAIT_COMPILED_FOR compiled_for_scalars
#endif
extern const char PLAIT_COMPILED_FOR;
[[gnu::used]] static const char* const links_with = &PLAIT_COMPILED_FOR;
#endif

namespace detail {

// The mask of the first `count` lanes.
template <class Mask>
Mask first_lanes(Index count) {
  return static_cast<Mask>((1U << count) - 1U);
}

#if defined(EIGEN_VECTORIZE_AVX) && !defined(EIGEN_VECTORIZE_AVX512)
// The same for 256 bits: `count` lanes of `bytes` each.
inline __m256i first_lanes_of(Index bytes, Index count) {
  static constexpr std::int64_t ones_then_zeros[8] = {-1, -1, -1, -1, 0, 0, 0, 0};
  const auto* from = reinterpret_cast<const char*>(ones_then_zeros) + 32 - count * bytes;
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
#endif

}  // namespace detail

template <class Scalar>
Packet<Scalar> load(const Scalar* from) {
  return Eigen::internal::ploadu<Packet<Scalar>>(from);
}
template <class Scalar>
void store(Scalar* to, const Packet<Scalar>& p) {
  Eigen::internal::pstoreu(to, p);
}
template <class Scalar>
Packet<Scalar> broadcast(Scalar value) {
  return Eigen::internal::pset1<Packet<Scalar>>(value);
}

// Asks for the numbers so many bytes further in a stream (negative for one that runs backwards):
// hardware starts streams anew at every page and does not look far enough ahead where there is
// little work per number.
template <Index Bytes, class Scalar>
void prefetch_ahead(const Scalar* stream) {
  Eigen::internal::prefetch(stream + Bytes / Index{sizeof(Scalar)});
}

// Asks for one line that will be read, or written, soon. `there` need not exist.
template <class Scalar>
void prefetch(const Scalar* there) {
  __builtin_prefetch(there);
}
template <class Scalar>
void prefetch_to_write(Scalar* there) {
  __builtin_prefetch(there, 1);
}

// Keeps the compiler from reading a packet from memory again at every use, which would take the
// loads that the numbers of the other operand need.
template <class P>
void keep_in_register([[maybe_unused]] P& p) {
#if defined(__GNUC__) && defined(EIGEN_VECTORIZE_AVX512)
  asm("" : "+v"(p));
#elif defined(__GNUC__) && defined(EIGEN_VECTORIZE_SSE)
  asm("" : "+x"(p));
#elif defined(__GNUC__) && defined(EIGEN_VECTORIZE_NEON) && EIGEN_ARCH_ARM64
  asm("" : "+w"(p));
#endif
}

// Those of Eigen's functions whose intrinsics GCC 12 warns of; elsewhere they themselves, because a
// function around them changes what compilers inline.
#ifdef PLAIT_INTRINSICS_WARN
PLAIT_INTRINSICS_BEGIN
template <class P>
PLAIT_FLATTEN PLAIT_INLINE inline P pmax(const P& a, const P& b) {
  return Eigen::internal::pmax(a, b);
}
template <class P>
PLAIT_FLATTEN PLAIT_INLINE inline P pmin(const P& a, const P& b) {
  return Eigen::internal::pmin(a, b);
}
template <class P>
PLAIT_FLATTEN PLAIT_INLINE inline auto predux_max(const P& a) {
  return Eigen::internal::predux_max(a);
}
template <class P>
PLAIT_FLATTEN PLAIT_INLINE inline P pexp(const P& a) {
  return Eigen::internal::pexp(a);
}
template <class P>
PLAIT_FLATTEN PLAIT_INLINE inline P psqrt(const P& a) {
  return Eigen::internal::psqrt(a);
}
template <class P>
PLAIT_FLATTEN PLAIT_INLINE inline P plog(const P& a) {
  return Eigen::internal::plog(a);
}
PLAIT_INTRINSICS_END
#else
using Eigen::internal::pexp;
using Eigen::internal::plog;
using Eigen::internal::pmax;
using Eigen::internal::pmin;
using Eigen::internal::predux_max;
using Eigen::internal::psqrt;
#endif

// The first `count` numbers, 0 <= count <= width, and `other` behind them. Reads and writes nothing
// beyond them.
template <class Scalar>
Packet<Scalar> load_part(const Scalar* from, Index count, Scalar other = 0) {
#ifdef EIGEN_VECTORIZE_AVX512
  if constexpr (width<Scalar> == 16)
    return _mm512_mask_loadu_ps(broadcast(other), detail::first_lanes<__mmask16>(count), from);
  else if constexpr (width<Scalar> == 8)
    return _mm512_mask_loadu_pd(broadcast(other), detail::first_lanes<__mmask8>(count), from);
#elif defined(EIGEN_VECTORIZE_AVX)
  const __m256i mask = detail::first_lanes_of(sizeof(Scalar), count);
  if constexpr (width<Scalar> == 8)
    return _mm256_blendv_ps(broadcast(other), _mm256_maskload_ps(from, mask),
                            _mm256_castsi256_ps(mask));
  else if constexpr (width<Scalar> == 4)
    return _mm256_blendv_pd(broadcast(other), _mm256_maskload_pd(from, mask),
                            _mm256_castsi256_pd(mask));
#endif
  alignas(buffer_alignment) Scalar numbers[width<Scalar>];
  store(numbers, broadcast(other));
  for (Index i = 0; i < count; ++i) numbers[i] = from[i];
  return load(numbers);
}
template <class Scalar>
void store_part(Scalar* to, const Packet<Scalar>& p, Index count) {
#ifdef EIGEN_VECTORIZE_AVX512
  if constexpr (width<Scalar> == 16)
    return _mm512_mask_storeu_ps(to, detail::first_lanes<__mmask16>(count), p);
  else if constexpr (width<Scalar> == 8)
    return _mm512_mask_storeu_pd(to, detail::first_lanes<__mmask8>(count), p);
#elif defined(EIGEN_VECTORIZE_AVX)
  const __m256i mask = detail::first_lanes_of(sizeof(Scalar), count);
  if constexpr (width<Scalar> == 8)
    return _mm256_maskstore_ps(to, mask, p);
  else if constexpr (width<Scalar> == 4)
    return _mm256_maskstore_pd(to, mask, p);
#endif
  alignas(buffer_alignment) Scalar numbers[width<Scalar>];
  store(numbers, p);
  for (Index i = 0; i < count; ++i) to[i] = numbers[i];
}

// v where `sign` is positive, else 0.
template <class Scalar>
Packet<Scalar> where_positive(const Packet<Scalar>& sign, const Packet<Scalar>& v) {
  const auto zero = broadcast(Scalar(0));
#ifdef EIGEN_VECTORIZE_AVX512
  if constexpr (width<Scalar> == 16)
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(sign, zero, _CMP_GT_OQ), v);
  else if constexpr (width<Scalar> == 8)
    return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(sign, zero, _CMP_GT_OQ), v);
#endif
  return Eigen::internal::pand(Eigen::internal::pcmp_lt(zero, sign), v);
}

// f(i, load, store) over [0, n) packet by packet, the last one in part: f(first number, loader,
// storer), where loader reads a packet from a pointer to the first number and storer writes one.
// Declare f PLAIT_INLINE.
template <class Scalar, class F>
PLAIT_INLINE inline void for_each_packet(Index n, const F& f) {
  constexpr Index w = width<Scalar>;
  Index i = 0;
  for (; i + w <= n; i += w)
    f(
        i, [](const Scalar* from) { return load(from); },
        [](Scalar* to, const Packet<Scalar>& p) { store(to, p); });
  const Index rest = n - i;
  if (rest > 0)
    f(
        i, [rest](const Scalar* from) { return load_part(from, rest); },
        [rest](Scalar* to, const Packet<Scalar>& p) { store_part(to, p, rest); });
}

}  // namespace plait::simd
