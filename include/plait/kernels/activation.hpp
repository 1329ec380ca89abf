// Activations, elementwise and in place, with PyTorch's definitions and defaults.
//
// Where the derivative can be written in the output, the backward reads only the output; GELU and
// SiLU need their input, which the caller keeps (needs_input).
#pragma once
#include <cmath>
#include <numbers>

#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/elementary.hpp"
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

namespace kernels {

namespace detail {

template <class Scalar>
inline constexpr Scalar gelu_root = Scalar(0.79788456080286535588);  // √(2/π)

// tanh's argument in gelu_tanh, and its derivative.
template <class Scalar>
simd::Packet<Scalar> gelu_inner(const simd::Packet<Scalar>& a) {
  namespace ei = Eigen::internal;
  const auto cubic = ei::pmul(simd::broadcast(Scalar(0.044715)), ei::pmul(a, a));
  const auto one = simd::broadcast(Scalar(1));
  return ei::pmul(simd::broadcast(gelu_root<Scalar>), ei::pmul(a, ei::padd(one, cubic)));
}
template <class Scalar>
simd::Packet<Scalar> gelu_inner_slope(const simd::Packet<Scalar>& a) {
  namespace ei = Eigen::internal;
  const auto cubic = ei::pmul(simd::broadcast(Scalar(3 * 0.044715)), ei::pmul(a, a));
  const auto one = simd::broadcast(Scalar(1));
  return ei::pmul(simd::broadcast(gelu_root<Scalar>), ei::padd(one, cubic));
}

// a = f(a), packet by packet.
template <class Scalar, class F>
void map_in_place(View3<Scalar> a, const F& f) {
  for (Index s = 0; s < a.slots(); ++s)
    for (Index b = 0; b < a.batch(); ++b) {
      Scalar* row = a.row(b, s);
      simd::for_each_packet<Scalar>(a.dim(),
                                    [&](Index d, const auto& load, const auto& store)
                                        PLAIT_INLINE { store(row + d, f(load(row + d))); });
    }
}

// da = dy * derivative(saved), packet by packet.
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
      simd::for_each_packet<Scalar>(
          da.dim(), [&](Index d, const auto& load, const auto& store) PLAIT_INLINE {
            store(out + d, Eigen::internal::pmul(load(in + d), derivative(load(from + d))));
          });
    }
}

}  // namespace detail

// a = f(a). NaN stays NaN under every activation.
template <class Scalar>
void activate(Activation kind, View3<Scalar> a) {
  namespace ei = Eigen::internal;
  using P = simd::Packet<Scalar>;
  const P zero = simd::broadcast(Scalar(0));
  const P half = simd::broadcast(Scalar(0.5));
  const P one = simd::broadcast(Scalar(1));
  switch (kind) {
    case Activation::identity:
      return;
    case Activation::relu:
      return detail::map_in_place(
          a, [&](const P& v) { return ei::pselect(ei::pcmp_lt(v, zero), zero, v); });
    case Activation::leaky_relu:
      return detail::map_in_place(a, [&](const P& v) {
        const P below = ei::pmul(simd::broadcast(Scalar(leaky_relu_slope)), v);
        return ei::pselect(ei::pcmp_lt(v, zero), below, v);
      });
    case Activation::gelu:
      return detail::map_in_place(
          a, [](const P& v) { return ei::pmul(v, simd::normal_distribution<Scalar>(v)); });
    case Activation::gelu_tanh:
      return detail::map_in_place(a, [&](const P& v) {
        const P t = simd::tanh<Scalar>(detail::gelu_inner<Scalar>(v));
        return ei::pmul(ei::pmul(half, v), ei::padd(one, t));
      });
    case Activation::silu:
      return detail::map_in_place(a,
                                  [](const P& v) { return ei::pmul(v, simd::sigmoid<Scalar>(v)); });
    case Activation::tanh:
      return detail::map_in_place(a, [](const P& v) { return simd::tanh<Scalar>(v); });
    case Activation::sigmoid:
      return detail::map_in_place(a, [](const P& v) { return simd::sigmoid<Scalar>(v); });
  }
}

// Reverses y = f(a): da = dy f'(a). `saved` is a when needs_input(kind), else y. da may be dy
// itself.
template <class Scalar>
void activate_backward(Activation kind, ConstView3<Scalar> saved, ConstView3<Scalar> dy,
                       View3<Scalar> da) {
  namespace ei = Eigen::internal;
  using P = simd::Packet<Scalar>;
  const P zero = simd::broadcast(Scalar(0));
  const P half = simd::broadcast(Scalar(0.5));
  const P one = simd::broadcast(Scalar(1));
  const auto slope_below_zero = [&](Scalar slope) {
    return [&, factor = simd::broadcast(slope)](const P& y) {
      return ei::pselect(ei::pcmp_lt(zero, y), one, factor);
    };
  };
  switch (kind) {
    case Activation::identity:
      return detail::map_backward(saved, dy, da, [&](const P&) { return one; });
    case Activation::relu:
      return detail::map_backward(saved, dy, da, slope_below_zero(0));
    case Activation::leaky_relu:
      return detail::map_backward(saved, dy, da, slope_below_zero(Scalar(leaky_relu_slope)));
    case Activation::gelu:  // Φ(a) + a φ(a)
      return detail::map_backward(saved, dy, da, [&](const P& a) {
        constexpr Scalar scale = std::numbers::inv_sqrtpi_v<Scalar> / std::numbers::sqrt2_v<Scalar>;
        const P e = simd::decay<Scalar>(ei::pmul(half, ei::pmul(a, a)));
        const P density = ei::pmul(simd::broadcast(scale), e);
        return ei::pmadd(a, density, simd::normal_distribution<Scalar>(a));
      });
    case Activation::gelu_tanh:  // (1 + t) / 2 + a/2 (1 - t²) inner', t = tanh(inner)
      return detail::map_backward(saved, dy, da, [&](const P& a) {
        const P t = simd::tanh<Scalar>(detail::gelu_inner<Scalar>(a));
        const P slope = ei::psub(one, ei::pmul(t, t));
        const P inner = ei::pmul(ei::pmul(half, a), detail::gelu_inner_slope<Scalar>(a));
        // 0 where tanh is saturated and a² may overflow.
        const P second = ei::pselect(ei::pcmp_eq(slope, zero), zero, ei::pmul(slope, inner));
        return ei::padd(ei::pmul(half, ei::padd(one, t)), second);
      });
    case Activation::silu:  // σ(a) (1 + a (1 - σ(a)))
      return detail::map_backward(saved, dy, da, [&](const P& a) {
        const P s = simd::sigmoid<Scalar>(a);
        return ei::pmul(s, ei::pmadd(a, ei::psub(one, s), one));
      });
    case Activation::tanh:  // 1 - y²
      return detail::map_backward(saved, dy, da,
                                  [&](const P& y) { return ei::psub(one, ei::pmul(y, y)); });
    case Activation::sigmoid:  // y (1 - y)
      return detail::map_backward(saved, dy, da,
                                  [&](const P& y) { return ei::pmul(y, ei::psub(one, y)); });
  }
}

}  // namespace kernels

}  // namespace plait
