// Ranges of a table's numbers, in lists that are in order and apart.
#pragma once
#include <span>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/view.hpp"

namespace plait::detail {

// Throws ConfigError, in the name of `where`, unless the ranges are in order, disjoint and inside.
inline void check_ranges(const char* where, std::span<const ParamRange> ranges, Index buffer_size) {
  Index end = 0;
  for (const ParamRange& range : ranges) {
    if (range.offset < end || range.size < 0 || range.size > buffer_size - range.offset)
      throw ConfigError(where, "shared", text(range.size, " numbers from ", range.offset, " on"),
                        text("ranges in order, apart and within ", buffer_size, " numbers"));
    end = range.end();
  }
}

// The numbers between the ranges; none of the result is empty.
inline std::vector<ParamRange> complement(std::span<const ParamRange> ranges, Index buffer_size) {
  std::vector<ParamRange> result;
  Index end = 0;
  const auto fill_up_to = [&](Index next) {
    if (next > end) result.push_back({end, next - end});
  };
  for (const ParamRange& range : ranges) {
    fill_up_to(range.offset);
    end = range.end();
  }
  fill_up_to(buffer_size);
  return result;
}

// Σ g² over the ranges, in double.
template <class Scalar>
double squared_length(const ParamBuffer<Scalar>& gradient, std::span<const ParamRange> ranges) {
  double sum = 0;
  for (const ParamRange& range : ranges)
    sum += VectorMap<const Scalar>(gradient.flat().data() + range.offset, range.size)
               .template cast<double>()
               .squaredNorm();
  return sum;
}

}  // namespace plait::detail
