// The tasks' gradients as buffers over one table: the ranges that are shared, their Gramian, and
// weighted sums.
#pragma once
#include <cstddef>
#include <span>

#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/scratch.hpp"
#include "plait/kernels/packet.hpp"
#include "plait/methods/gramian.hpp"
#include "plait/methods/memory.hpp"

namespace plait {

namespace detail {

// One range of every buffer, in memory of the scratch's frame. Buffer is a ParamBuffer, const or
// not; Scalar its numbers' type.
template <class Scalar, class Buffer>
std::span<const std::span<Scalar>> blocks(std::span<Buffer> buffers, const ParamRange& range,
                                          Scratch& scratch) {
  const auto result = take_span<std::span<Scalar>>(scratch, std::ssize(buffers));
  for (std::size_t t = 0; t < buffers.size(); ++t)
    result[t] = buffers[t].flat().subspan(static_cast<std::size_t>(range.offset),
                                          static_cast<std::size_t>(range.size));
  return result;
}

// gramian [T, T] of the gradients over the ranges.
template <class Scalar>
void gramian_of(std::span<const ParamBuffer<Scalar>> gradients, std::span<const ParamRange> ranges,
                Eigen::MatrixXd& gramian, Scratch& scratch) {
  gramian.setZero(std::ssize(gradients), std::ssize(gradients));
  for (const ParamRange& range : ranges) {
    const Scratch::Frame frame(scratch);
    accumulate_gramian<Scalar>(blocks<const Scalar>(gradients, range, scratch), gramian, scratch);
  }
}

// out = Σ_t weights_t gradients_t over the ranges, summed in double.
template <class Scalar>
void weighted_sum(std::span<const ParamBuffer<Scalar>> gradients, std::span<const double> weights,
                  std::span<const ParamRange> ranges, ParamBuffer<Scalar>& out) {
  // Sums of a few numbers at a time stay in registers.
  constexpr Index chunk = 16;
  const auto sum_chunk = [&](Index first, Index count) {
    double sum[chunk] = {};
    for (std::size_t t = 0; t < gradients.size(); ++t) {
      const Scalar* g = gradients[t].flat().data() + first;
      simd::prefetch_ahead<-4096>(g);
      for (Index i = 0; i < count; ++i) sum[i] += weights[t] * static_cast<double>(g[i]);
    }
    Scalar* to = out.flat().data() + first;
    for (Index i = 0; i < count; ++i) to[i] = static_cast<Scalar>(sum[i]);
  };
  // From the end, as far as the Gramian has left the gradients in the cache.
  for (auto range = ranges.rbegin(); range != ranges.rend(); ++range) {
    Index end = range->end();
    for (; end - chunk >= range->offset; end -= chunk) sum_chunk(end - chunk, chunk);
    sum_chunk(range->offset, end - range->offset);
  }
}

}  // namespace detail

}  // namespace plait
