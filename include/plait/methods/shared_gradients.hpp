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

#define PLAIT_EACH_SET "plait/methods/each_set/weighted_sum.inl"
#include "plait/kernels/each_set.hpp"

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
  PLAIT_RUN(instruction_set(), weighted_sum<Scalar>(gradients, weights, ranges, out));
}

#ifdef PLAIT_COMPILED
#define PLAIT_KERNELS(S)                                                                   \
  PLAIT_KERNEL void weighted_sum(std::span<const ParamBuffer<S>>, std::span<const double>, \
                                 std::span<const ParamRange>, ParamBuffer<S>&);
PLAIT_KERNELS(float)
PLAIT_KERNELS(double)
#undef PLAIT_KERNELS
#endif

}  // namespace detail

}  // namespace plait
