namespace bench::detail::PLAIT_SET {

namespace simd = plait::simd::PLAIT_SET;

// Two units with a latency of four or five cycles keep ten sums in flight; fourteen and two factors
// are all the registers that SSE and AVX have.
inline constexpr int peak_sums = 12;

// `steps` multiply-adds in each of peak_sums packets.
template <class Scalar>
Scalar multiply_add(Index steps, Scalar factor, Scalar term) {
  const auto a = simd::broadcast(factor);
  const auto c = simd::broadcast(term);
  simd::Packet<Scalar> sums[peak_sums];
#pragma GCC unroll 12
  for (int i = 0; i < peak_sums; ++i)  // from different numbers, or the compiler keeps one
    sums[i] = simd::broadcast(term + static_cast<Scalar>(i));
  for (Index step = 0; step < steps; ++step)
#pragma GCC unroll 12
    for (auto& sum : sums) {
      // Where they are two instructions, a product that is the same in every step would be taken
      // out of the loop.
      sum = simd::has_fma ? simd::fma(a, c, sum) : simd::fma(sum, a, c);
    }
  for (int i = 1; i < peak_sums; ++i) sums[0] = sums[0] + sums[i];
  return simd::sum<Scalar>(sums[0]);
}
template <class Scalar>
Index multiply_adds() {
  return simd::width<Scalar> * peak_sums;
}

// The same with two multiply-adds of bf16 for each.
inline float multiply_add_pairs(Index steps, float factor, float term) {
#if PLAIT_SET_BYTES == 64
  const auto a = simd::broadcast(factor);
  const auto c = simd::broadcast(term);
  simd::Packet<float> sums[peak_sums];
#pragma GCC unroll 12
  for (int i = 0; i < peak_sums; ++i) sums[i] = simd::broadcast(term + static_cast<float>(i));
  for (Index step = 0; step < steps; ++step)
#pragma GCC unroll 12
    for (auto& sum : sums) sum = simd::Pairs::add(a, c, sum);
  for (int i = 1; i < peak_sums; ++i) sums[0] = sums[0] + sums[i];
  return simd::sum<float>(sums[0]);
#else
  return multiply_add(steps, factor, term);
#endif
}

// The sum of `size` numbers, a multiple of read_block.
inline float read(const float* numbers, Index size) {
  constexpr Index w = simd::width<float>;
  constexpr int count = 8;
  simd::Packet<float> sums[count] = {};
  for (Index i = 0; i < size; i += count * w)
#pragma GCC unroll 8
    for (int k = 0; k < count; ++k) sums[k] = sums[k] + simd::load(numbers + i + k * w);
  for (int i = 1; i < count; ++i) sums[0] = sums[0] + sums[i];
  return simd::sum<float>(sums[0]);
}

}  // namespace bench::detail::PLAIT_SET
