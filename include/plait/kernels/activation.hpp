// Activations, elementwise and in place, with PyTorch's definitions and defaults.
//
// Where the derivative can be written in the output, the backward reads only the output; GELU and
// SiLU need their input, which the caller keeps (needs_input).
#pragma once
#include <Eigen/Core>
#include <cmath>
#include <numbers>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/packet.hpp"

namespace plait {

enum class Activation {
  identity,
  relu,        // max(a, 0); derivative 0 at 0
  leaky_relu,  // a > 0 ? a : 0.01 a; derivative 0.01 at 0
  gelu,        // a Φ(a), Φ the normal distribution function (exact form)
  gelu_tanh,   // a/2 (1 + tanh(√(2/π) (a + 0.044715 a³)))
  silu,        // a σ(a)
  tanh,
  sigmoid,
};

inline constexpr double leaky_relu_slope = 0.01;

// True when the backward reads the input a, false when it reads the output.
constexpr bool needs_input(Activation kind) {
  return kind == Activation::gelu || kind == Activation::gelu_tanh || kind == Activation::silu;
}

// σ(a), without overflow for any a.
template <class Scalar>
Scalar sigmoid(Scalar a) {
  using std::exp;
  if (a >= 0) return 1 / (1 + exp(-a));
  const Scalar e = exp(a);
  return e / (1 + e);
}

namespace detail {

template <class Scalar>
struct GeluTanh {
  static constexpr Scalar root = Scalar(0.79788456080286535588);  // √(2/π)
  static constexpr Scalar cubic = Scalar(0.044715);
};

// Applies f to every number of a, in place.
template <class Scalar, class F>
void map_in_place(View3<Scalar> a, const F& f) {
  for (Index s = 0; s < a.slots(); ++s)
    for (Index b = 0; b < a.batch(); ++b) {
      Scalar* row = a.row(b, s);
      for (Index d = 0; d < a.dim(); ++d) row[d] = f(row[d]);
    }
}

// a = a < 0 ? slope * a : a, packet by packet.
template <class Scalar>
void scale_negative(std::type_identity_t<Scalar> slope, View3<Scalar> a) {
  namespace ei = Eigen::internal;
  const auto zero = simd::broadcast(Scalar(0));
  const auto factor = simd::broadcast(slope);
  for (Index s = 0; s < a.slots(); ++s)
    for (Index b = 0; b < a.batch(); ++b) {
      Scalar* row = a.row(b, s);
      simd::for_each_packet<Scalar>(
          a.dim(), [&](Index d, const auto& load, const auto& store) PLAIT_INLINE {
            const auto v = load(row + d);
            const auto below = slope == 0 ? zero : ei::pmul(factor, v);  // 0 also for -infinity
            store(row + d, ei::pselect(ei::pcmp_lt(v, zero), below, v));
          });
    }
}

// Its reverse: da = y > 0 ? dy : slope * dy, packet by packet.
template <class Scalar>
void scale_where_negative(std::type_identity_t<Scalar> slope, ConstView3<Scalar> saved,
                          ConstView3<Scalar> dy, View3<Scalar> da) {
  namespace ei = Eigen::internal;
  PLAIT_ASSERT(saved.batch() == da.batch() && saved.shape() == da.shape());
  PLAIT_ASSERT(dy.batch() == da.batch() && dy.shape() == da.shape());
  const auto zero = simd::broadcast(Scalar(0));
  const auto one = simd::broadcast(Scalar(1));
  const auto factor = simd::broadcast(slope);
  for (Index s = 0; s < da.slots(); ++s)
    for (Index b = 0; b < da.batch(); ++b) {
      const Scalar* y = saved.row(b, s);
      const Scalar* in = dy.row(b, s);
      Scalar* out = da.row(b, s);
      simd::for_each_packet<Scalar>(
          da.dim(), [&](Index d, const auto& load, const auto& store) PLAIT_INLINE {
            const auto derivative = ei::pselect(ei::pcmp_lt(zero, load(y + d)), one, factor);
            store(out + d, ei::pmul(load(in + d), derivative));
          });
    }
}

// da = dy * derivative(saved), everywhere.
template <class Scalar, class F>
void map_backward(ConstView3<Scalar> saved, ConstView3<Scalar> dy, View3<Scalar> da,
                  const F& derivative) {
  PLAIT_ASSERT(saved.batch() == da.batch() && saved.shape() == da.shape());
  PLAIT_ASSERT(dy.batch() == da.batch() && dy.shape() == da.shape());
  for (Index s = 0; s < da.slots(); ++s)
    for (Index b = 0; b < da.batch(); ++b) {
      const Scalar* from = saved.row(b, s);
      const Scalar* in = dy.row(b, s);
      Scalar* out = da.row(b, s);
      for (Index d = 0; d < da.dim(); ++d) out[d] = in[d] * derivative(from[d]);
    }
}

}  // namespace detail

// a = f(a). NaN stays NaN under every activation.
template <class Scalar>
void activate(Activation kind, View3<Scalar> a) {
  using std::erf, std::exp, std::tanh;
  switch (kind) {
    case Activation::identity:
      return;
    case Activation::relu:
      return detail::scale_negative(Scalar(0), a);
    case Activation::leaky_relu:
      return detail::scale_negative(Scalar(leaky_relu_slope), a);
    case Activation::gelu:
      return detail::map_in_place(
          a, [](Scalar v) { return v / 2 * (1 + erf(v / std::numbers::sqrt2_v<Scalar>)); });
    case Activation::gelu_tanh:
      return detail::map_in_place(a, [](Scalar v) {
        using G = detail::GeluTanh<Scalar>;
        return v / 2 * (1 + tanh(G::root * (v + G::cubic * v * v * v)));
      });
    case Activation::silu:
      return detail::map_in_place(a, [](Scalar v) { return v * plait::sigmoid(v); });
    case Activation::tanh:
      return detail::map_in_place(a, [](Scalar v) { return tanh(v); });
    case Activation::sigmoid:
      return detail::map_in_place(a, [](Scalar v) { return plait::sigmoid(v); });
  }
}

// Reverses y = f(a): da = dy f'(a). `saved` is a when needs_input(kind), else y. da may be dy
// itself.
template <class Scalar>
void activate_backward(Activation kind, ConstView3<Scalar> saved, ConstView3<Scalar> dy,
                       View3<Scalar> da) {
  using std::erf, std::exp, std::tanh;
  switch (kind) {
    case Activation::identity:
      return detail::map_backward(saved, dy, da, [](Scalar) { return Scalar(1); });
    case Activation::relu:
      return detail::scale_where_negative(Scalar(0), saved, dy, da);
    case Activation::leaky_relu:
      return detail::scale_where_negative(Scalar(leaky_relu_slope), saved, dy, da);
    case Activation::gelu:
      return detail::map_backward(saved, dy, da, [](Scalar a) {
        const Scalar density =
            exp(-a * a / 2) * std::numbers::inv_sqrtpi_v<Scalar> / std::numbers::sqrt2_v<Scalar>;
        return (1 + erf(a / std::numbers::sqrt2_v<Scalar>)) / 2 + a * density;
      });
    case Activation::gelu_tanh:
      return detail::map_backward(saved, dy, da, [](Scalar a) {
        using G = detail::GeluTanh<Scalar>;
        const Scalar t = tanh(G::root * (a + G::cubic * a * a * a));
        const Scalar slope = 1 - t * t;  // 0 where tanh is saturated and a² may overflow
        const Scalar inner = G::root * (1 + 3 * G::cubic * a * a);
        return (1 + t) / 2 + (slope == 0 ? Scalar(0) : a / 2 * slope * inner);
      });
    case Activation::silu:
      return detail::map_backward(saved, dy, da, [](Scalar a) {
        const Scalar s = plait::sigmoid(a);
        return s * (1 + a * (1 - s));
      });
    case Activation::tanh:
      return detail::map_backward(saved, dy, da, [](Scalar y) { return 1 - y * y; });
    case Activation::sigmoid:
      return detail::map_backward(saved, dy, da, [](Scalar y) { return y * (1 - y); });
  }
}

}  // namespace plait
