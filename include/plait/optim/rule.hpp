// OptimizerRule: how one tensor moves, given its gradient and its moments. A rule holds
// hyper-parameters only; the moments and the step count are the Optimizer's.
//
// A rule of your own needs learning_rate and weight_decay (defaults, which parameter groups and the
// schedule override through UpdateStep), and
//
//   rule.validate()                           throws ConfigError for hyper-parameters out of range
//   rule.moment_names()                       one name per moment it keeps of every parameter
//   rule.update(step, values, grad, moments)  moves one tensor; called once per tensor and step
//   rule.initial_moment(k)                    optional: what moment k starts with, 0 without it
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/params.hpp"

namespace plait {

// What is the same for all numbers of one tensor in one step.
struct UpdateStep {
  Index number = 1;           // counts the optimizer's steps, the same for every tensor, from 1
  double learning_rate = 0;   // of this tensor, schedule included
  double weight_decay = 0;    // of this tensor
  double gradient_scale = 1;  // multiply the gradient by this first: it is not clipped in memory
};

// The moments of one tensor: moments[k] is the k-th, in the order of moment_names().
template <class Scalar>
class Moments {
 public:
  Moments(std::span<ParamBuffer<Scalar>> buffers, ParamId id) : buffers_(buffers), id_(id) {}
  std::span<Scalar> operator[](Index k) const {
    return buffers_[static_cast<std::size_t>(k)].of(id_);
  }

 private:
  std::span<ParamBuffer<Scalar>> buffers_;
  ParamId id_;
};

template <class R, class Scalar>
concept OptimizerRule = std::copyable<R> &&
    requires(const R& rule, const UpdateStep& step, std::span<Scalar> values,
             std::span<const Scalar> grad, Moments<Scalar> moments) {
  { rule.learning_rate } -> std::convertible_to<double>;
  { rule.weight_decay } -> std::convertible_to<double>;
  { rule.moment_names() } -> std::same_as<std::vector<std::string>>;
  rule.validate();
  rule.update(step, values, grad, moments);
};

namespace detail {

// A piece of a tensor as an Eigen array; Scalar may be const.
template <class Scalar>
using ArrayMap = Eigen::Map<std::conditional_t<
    std::is_const_v<Scalar>, const Eigen::Array<std::remove_const_t<Scalar>, Eigen::Dynamic, 1>,
    Eigen::Array<Scalar, Eigen::Dynamic, 1>>>;

// Numbers that a rule works on at a time: its several array statements then run in the first-level
// cache, so that a step is one pass over memory, and the gradient after scaling and decay fits on
// the stack. Arrays rather than one loop because compilers do not vectorise std::sqrt, which may
// set errno: Adam over 4 M floats takes 3.2 ms with SSE2 and 1.4 ms with AVX-512, the loop 11 ms
// with either.
inline constexpr Index piece_size = 512;

template <class Scalar>
using Piece = Eigen::Array<Scalar, Eigen::Dynamic, 1, 0, piece_size, 1>;

// Calls body(p, g, at) for every piece of a tensor: p are its values, g = scale * grad + decay * p,
// and at(span) is the same piece of a moment.
template <class Scalar, class Body>
void for_pieces(std::span<Scalar> values, std::span<const Scalar> grad, double scale, double decay,
                const Body& body) {
  const Index size = std::ssize(values);
  for (Index first = 0; first < size; first += piece_size) {
    const Index count = std::min(piece_size, size - first);
    const auto at = [&](std::span<Scalar> moment) {
      return ArrayMap<Scalar>(moment.data() + first, count);
    };
    ArrayMap<Scalar> p = at(values);
    Piece<Scalar> g =
        ArrayMap<const Scalar>(grad.data() + first, count) * static_cast<Scalar>(scale);
    if (decay != 0) g += static_cast<Scalar>(decay) * p;
    body(p, g, at);
  }
}

inline void require_not_negative(const char* rule, const char* argument, double value) {
  require_config(std::isfinite(value) && value >= 0, rule, argument, text(value),
                 "a finite number of at least 0");
}

// For factors of running means.
inline void require_below_one(const char* rule, const char* argument, double value) {
  require_config(value >= 0 && value < 1, rule, argument, text(value), "a number in [0, 1)");
}

}  // namespace detail

}  // namespace plait
