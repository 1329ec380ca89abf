// RunningMean: a buffer that moves towards others by shares, as means and averages do.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "plait/core/error.hpp"
#include "plait/core/param_buffer.hpp"

namespace plait {

// mean += share (target - mean). A small share moves a float by less than half its last digit, and
// a mean of floats alone then stands still, wherever it is; so what each move rounds away is kept
// beside it and goes into the next. A value; not thread-safe. Does not allocate after its
// construction.
template <class Scalar>
class RunningMean {
 public:
  explicit RunningMean(const std::shared_ptr<const ParamTable>& table)
      : buffers_{ParamBuffer<Scalar>(table), ParamBuffer<Scalar>(table)} {}

  // The target is over the same parameters.
  void move(const ParamBuffer<Scalar>& target, double share) {
    const auto to = target.flat();
    const auto mean = buffers_[0].flat();
    const auto rest = buffers_[1].flat();
    for (std::size_t i = 0; i < mean.size(); ++i) {
      const auto [m, r, t] = std::array<double, 3>{mean[i], rest[i], to[i]};
      const double step = r + share * (t - m - r);
      mean[i] = static_cast<Scalar>(m + step);
      rest[i] = static_cast<Scalar>((m - static_cast<double>(mean[i])) + step);
    }
  }
  void set_zero() {
    for (auto& buffer : buffers_) buffer.set_zero();
  }

  const ParamBuffer<Scalar>& values() const { return buffers_[0]; }
  // The values and what they round away: all that there is.
  std::span<const ParamBuffer<Scalar>> buffers() const { return buffers_; }
  // Goes on from buffers(). Throws ShapeError in the name of `where`, before anything is changed,
  // for another number of them or for those of other parameters.
  void restore(const char* where, std::span<const ParamBuffer<Scalar>> buffers) {
    if (buffers.size() != buffers_.size())
      throw ShapeError(where, "buffers", text(buffers.size()), text(buffers_.size()));
    for (const auto& buffer : buffers)
      require_schema(where, "values", buffer.shared_table(), buffers_[0].shared_table());
    auto copy = buffers_;
    std::ranges::copy(buffers, copy.begin());
    buffers_ = std::move(copy);
  }

 private:
  std::array<ParamBuffer<Scalar>, 2> buffers_;
};

}  // namespace plait
