namespace plait::detail::PLAIT_SET {

// out[first ... first + count) = Σ_t weights_t gradients_t, in sums that stay in registers.
template <class Scalar>
PLAIT_INLINE inline void sum_some(std::span<const ParamBuffer<Scalar>> gradients,
                                  std::span<const double> weights, Index first, Index count,
                                  ParamBuffer<Scalar>& out) {
  double sum[16] = {};
  for (std::size_t t = 0; t < gradients.size(); ++t) {
    const Scalar* g = gradients[t].flat().data() + first;
    simd::prefetch_ahead<-4096>(g);
    for (Index i = 0; i < count; ++i) sum[i] += weights[t] * static_cast<double>(g[i]);
  }
  Scalar* to = out.flat().data() + first;
  for (Index i = 0; i < count; ++i) to[i] = static_cast<Scalar>(sum[i]);
}

template <class Scalar>
void weighted_sum(std::span<const ParamBuffer<Scalar>> gradients, std::span<const double> weights,
                  std::span<const ParamRange> ranges, ParamBuffer<Scalar>& out) {
  constexpr Index chunk = 16;
  // From the end, as far as the Gramian has left the gradients in the cache.
  for (auto range = ranges.rbegin(); range != ranges.rend(); ++range) {
    Index end = range->end();
    for (; end - chunk >= range->offset; end -= chunk)
      sum_some(gradients, weights, end - chunk, chunk, out);
    sum_some(gradients, weights, range->offset, end - range->offset, out);
  }
}

}  // namespace plait::detail::PLAIT_SET
