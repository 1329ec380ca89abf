// The tasks' gradients as buffers over one table: the ranges that are shared, their Gramian, and
// weighted sums.
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "plait/balance/balancer.hpp"
#include "plait/balance/gramian.hpp"
#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/params.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/packet.hpp"

namespace plait {

namespace detail {

// Throws ConfigError, in the name of `where`, unless the ranges are in order, disjoint and inside.
inline void check_ranges(const char* where, std::span<const ParamRange> ranges, Index buffer_size) {
  Index end = 0;
  for (const ParamRange& range : ranges) {
    require_config(
        range.offset >= end && range.size >= 0 && range.size <= buffer_size - range.offset, where,
        "shared", text(range.size, " numbers from ", range.offset, " on"),
        text("ranges in order, apart and within ", buffer_size, " numbers"));
    end = range.end();
  }
}

// The ranges between them.
inline std::vector<ParamRange> complement(std::span<const ParamRange> ranges, Index buffer_size) {
  std::vector<ParamRange> result;
  Index end = 0;
  for (const ParamRange& range : ranges) {
    result.push_back({end, range.offset - end});
    end = range.end();
  }
  result.push_back({end, buffer_size - end});
  return result;
}

// One range of every buffer. Buffer is a ParamBuffer, const or not; Scalar its numbers' type.
template <class Scalar, class Buffer>
std::vector<std::span<Scalar>> blocks(std::span<Buffer> buffers, const ParamRange& range) {
  std::vector<std::span<Scalar>> result;
  for (Buffer& buffer : buffers)
    result.push_back(buffer.flat().subspan(static_cast<std::size_t>(range.offset),
                                           static_cast<std::size_t>(range.size)));
  return result;
}

// [T, T], over the ranges.
template <class Scalar>
Eigen::MatrixXd gramian_of(std::span<const ParamBuffer<Scalar>> gradients,
                           std::span<const ParamRange> ranges) {
  const Index tasks = std::ssize(gradients);
  Eigen::MatrixXd gramian = Eigen::MatrixXd::Zero(tasks, tasks);
  for (const ParamRange& range : ranges)
    accumulate_gramian<Scalar>(blocks<const Scalar>(gradients, range), gramian);
  return gramian;
}

// ‖g‖² over the ranges.
template <class Scalar>
double squared_length(const ParamBuffer<Scalar>& gradient, std::span<const ParamRange> ranges) {
  double sum = 0;
  for (const ParamRange& range : ranges)
    sum += VectorMap<const Scalar>(gradient.flat().data() + range.offset, range.size)
               .template cast<double>()
               .squaredNorm();
  return sum;
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
