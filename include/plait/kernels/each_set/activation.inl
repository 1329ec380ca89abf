namespace plait::kernels::PLAIT_SET {

namespace detail {

template <class Scalar>
inline constexpr Scalar gelu_root = Scalar(0.79788456080286535588);  // √(2/π)

// tanh's argument in gelu_tanh, and its derivative.
template <class Scalar>
PLAIT_INLINE inline simd::Packet<Scalar> gelu_inner(const simd::Packet<Scalar>& a) {
  const auto cubic = Scalar(0.044715) * (a * a);
  return gelu_root<Scalar> * (a * (Scalar(1) + cubic));
}
template <class Scalar>
PLAIT_INLINE inline simd::Packet<Scalar> gelu_inner_slope(const simd::Packet<Scalar>& a) {
  const auto cubic = Scalar(3 * 0.044715) * (a * a);
  return gelu_root<Scalar> * (Scalar(1) + cubic);
}

// a = f(a), packet by packet.
template <class Scalar, class F>
void map_in_place(View3<Scalar> a, const F& f) {
  for (Index s = 0; s < a.slots(); ++s)
    for (Index b = 0; b < a.batch(); ++b) {
      Scalar* row = a.row(b, s);
      simd::for_each_packet<Scalar>(a.dim(), [&](Index d, const auto& memory) PLAIT_INLINE {
        memory.store(row + d, f(memory.load(row + d)));
      });
    }
}

// da = dy * derivative(saved), packet by packet.
template <class Scalar, class F>
void map_backward(View3<const Scalar> saved, View3<const Scalar> dy, View3<Scalar> da,
                  const F& derivative) {
  for (Index s = 0; s < da.slots(); ++s)
    for (Index b = 0; b < da.batch(); ++b) {
      const Scalar* from = saved.row(b, s);
      const Scalar* in = dy.row(b, s);
      Scalar* out = da.row(b, s);
      simd::for_each_packet<Scalar>(da.dim(), [&](Index d, const auto& memory) PLAIT_INLINE {
        memory.store(out + d, memory.load(in + d) * derivative(memory.load(from + d)));
      });
    }
}

}  // namespace detail

template <class Scalar>
void activate(Activation kind, View3<Scalar> a) {
  using P = simd::Packet<Scalar>;
  const P zero = simd::broadcast(Scalar(0));
  const P half = simd::broadcast(Scalar(0.5));
  const P one = simd::broadcast(Scalar(1));
  const P slope = simd::broadcast(Scalar(leaky_relu_slope));
  switch (kind) {
    case Activation::identity:
      return;
    case Activation::relu:
      return detail::map_in_place(a, [&](const P& v) PLAIT_INLINE { return v < zero ? zero : v; });
    case Activation::leaky_relu:
      return detail::map_in_place(
          a, [&](const P& v) PLAIT_INLINE { return v < zero ? slope * v : v; });
    case Activation::gelu:
      return detail::map_in_place(
          a, [](const P& v) PLAIT_INLINE { return v * simd::normal_distribution<Scalar>(v); });
    case Activation::gelu_tanh:
      return detail::map_in_place(a, [&](const P& v) PLAIT_INLINE {
        const P t = simd::tanh<Scalar>(detail::gelu_inner<Scalar>(v));
        return half * v * (one + t);
      });
    case Activation::silu:
      return detail::map_in_place(
          a, [](const P& v) PLAIT_INLINE { return v * simd::sigmoid<Scalar>(v); });
    case Activation::tanh:
      return detail::map_in_place(a, [](const P& v) PLAIT_INLINE { return simd::tanh<Scalar>(v); });
    case Activation::sigmoid:
      return detail::map_in_place(a,
                                  [](const P& v) PLAIT_INLINE { return simd::sigmoid<Scalar>(v); });
  }
}

template <class Scalar>
void activate_backward(Activation kind, View3<const Scalar> saved, View3<const Scalar> dy,
                       View3<Scalar> da) {
  using P = simd::Packet<Scalar>;
  const P zero = simd::broadcast(Scalar(0));
  const P half = simd::broadcast(Scalar(0.5));
  const P one = simd::broadcast(Scalar(1));
  const auto slope_below_zero = [&](Scalar slope) {
    return [&, factor = simd::broadcast(slope)](const P& y)
               PLAIT_INLINE { return zero < y ? one : factor; };
  };
  switch (kind) {
    case Activation::identity:
      return detail::map_backward(saved, dy, da, [&](const P&) PLAIT_INLINE { return one; });
    case Activation::relu:
      return detail::map_backward(saved, dy, da, slope_below_zero(0));
    case Activation::leaky_relu:
      return detail::map_backward(saved, dy, da, slope_below_zero(Scalar(leaky_relu_slope)));
    case Activation::gelu:  // Φ(a) + a φ(a)
      return detail::map_backward(saved, dy, da, [&](const P& a) PLAIT_INLINE {
        constexpr Scalar scale = std::numbers::inv_sqrtpi_v<Scalar> / std::numbers::sqrt2_v<Scalar>;
        const P e = simd::decay<Scalar>(half * (a * a));
        const P density = scale * e;
        return simd::fma(a, density, simd::normal_distribution<Scalar>(a));
      });
    case Activation::gelu_tanh:  // (1 + t) / 2 + a/2 (1 - t²) inner', t = tanh(inner)
      return detail::map_backward(saved, dy, da, [&](const P& a) PLAIT_INLINE {
        const P t = simd::tanh<Scalar>(detail::gelu_inner<Scalar>(a));
        const P slope = one - t * t;
        const P inner = half * a * detail::gelu_inner_slope<Scalar>(a);
        // 0 where tanh is saturated and a² may overflow.
        const P second = slope == zero ? zero : slope * inner;
        return half * (one + t) + second;
      });
    case Activation::silu:  // σ(a) (1 + a (1 - σ(a)))
      return detail::map_backward(saved, dy, da, [&](const P& a) PLAIT_INLINE {
        const P s = simd::sigmoid<Scalar>(a);
        return s * simd::fma(a, one - s, one);
      });
    case Activation::tanh:  // 1 - y²
      return detail::map_backward(saved, dy, da,
                                  [&](const P& y) PLAIT_INLINE { return one - y * y; });
    case Activation::sigmoid:  // y (1 - y)
      return detail::map_backward(saved, dy, da,
                                  [&](const P& y) PLAIT_INLINE { return y * (one - y); });
  }
}

}  // namespace plait::kernels::PLAIT_SET
