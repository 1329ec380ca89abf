// Softmax over dim with temperature τ: p_d = exp(a_d / τ) / Σ_j exp(a_j / τ). Stable for any finite
// a.
#pragma once
#include <cstddef>
#include <limits>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/elementary.hpp"
#include "plait/kernels/packet.hpp"

namespace plait::kernels {

namespace detail {

// Rows of a few numbers lie closer than a packet is wide: a row read just after the one before it
// was written would wait for that. So all `Rows` are read before one is written, and keep the
// machine busy side by side.
template <int Rows, class Scalar>
void softmax_rows(const simd::Packet<Scalar>& temperature, Scalar* rows, Index stride, Index dim) {
  namespace ei = Eigen::internal;
  constexpr Index w = simd::width<Scalar>;
  const Index whole = dim / w * w;
  const Index rest = dim - whole;
  simd::Packet<Scalar> tail[std::size_t{Rows}];
  simd::Packet<Scalar> top[std::size_t{Rows}];
  simd::Packet<Scalar> sum[std::size_t{Rows}];
  const auto exponential = [&](int j, const simd::Packet<Scalar>& a) PLAIT_INLINE {
    const auto e = simd::decay<Scalar>(ei::pdiv(ei::psub(top[j], a), temperature));
    sum[j] = ei::padd(sum[j], e);
    return e;
  };
#pragma GCC unroll 4
  for (int j = 0; j < Rows; ++j) {
    // Beyond the row: numbers whose exponentials are zero.
    tail[j] =
        simd::load_part(rows + j * stride + whole, rest, -std::numeric_limits<Scalar>::infinity());
    top[j] = tail[j];
  }
  for (Index d = 0; d < whole; d += w)
#pragma GCC unroll 4
    for (int j = 0; j < Rows; ++j) top[j] = simd::pmax(top[j], simd::load(rows + j * stride + d));
#pragma GCC unroll 4
  for (int j = 0; j < Rows; ++j) {
    top[j] = simd::broadcast(simd::predux_max(top[j]));
    sum[j] = simd::broadcast(Scalar(0));
  }
  for (Index d = 0; d < whole; d += w)
#pragma GCC unroll 4
    for (int j = 0; j < Rows; ++j) {
      Scalar* numbers = rows + j * stride + d;
      simd::store(numbers, exponential(j, simd::load(numbers)));
    }
  if (rest > 0)
#pragma GCC unroll 4
    for (int j = 0; j < Rows; ++j) tail[j] = exponential(j, tail[j]);
#pragma GCC unroll 4
  for (int j = 0; j < Rows; ++j) sum[j] = simd::broadcast(Scalar(1) / ei::predux(sum[j]));
  for (Index d = 0; d < whole; d += w)
#pragma GCC unroll 4
    for (int j = 0; j < Rows; ++j) {
      Scalar* numbers = rows + j * stride + d;
      simd::store(numbers, ei::pmul(simd::load(numbers), sum[j]));
    }
  if (rest > 0)
#pragma GCC unroll 4
    for (int j = 0; j < Rows; ++j)
      simd::store_part(rows + j * stride + whole, ei::pmul(tail[j], sum[j]), rest);
}

}  // namespace detail

// p = softmax(p / τ), in place, per sample and slot. Exponentials below the normal numbers are 0. A
// row with a NaN becomes NaN.
template <class Scalar>
void softmax(std::type_identity_t<Scalar> temperature, View3<Scalar> p) {
  const auto divisor = simd::broadcast(temperature);
  for (Index s = 0; s < p.slots(); ++s) {
    Index b = 0;
    const auto take = [&]<int Rows>() {
      detail::softmax_rows<Rows>(divisor, p.row(b, s), p.batch_stride(), p.dim());
      b += Rows;
    };
    while (p.batch() - b >= 4) take.template operator()<4>();
    if (p.batch() - b == 3) take.template operator()<3>();
    if (p.batch() - b == 2) take.template operator()<2>();
    if (p.batch() - b == 1) take.template operator()<1>();
  }
}

// Reverses p = softmax(a / τ): da_d = p_d (dp_d - Σ_j p_j dp_j) / τ. Needs only the output p.
template <class Scalar>
void softmax_backward(std::type_identity_t<Scalar> temperature, ConstView3<Scalar> p,
                      ConstView3<Scalar> dp, View3<Scalar> da) {
  namespace ei = Eigen::internal;
  PLAIT_ASSERT(p.batch() == da.batch() && p.shape() == da.shape());
  PLAIT_ASSERT(dp.batch() == da.batch() && dp.shape() == da.shape());
  const auto divisor = simd::broadcast(temperature);
  for (Index s = 0; s < p.slots(); ++s)
    for (Index b = 0; b < p.batch(); ++b) {
      const Scalar* weights = p.row(b, s);
      const Scalar* upstream = dp.row(b, s);
      Scalar* out = da.row(b, s);
      auto sum = simd::broadcast(Scalar(0));
      simd::for_each_packet<Scalar>(p.dim(),
                                    [&](Index d, const auto& load, const auto&) PLAIT_INLINE {
                                      sum = ei::pmadd(load(weights + d), load(upstream + d), sum);
                                    });
      const auto mean = simd::broadcast(ei::predux(sum));
      simd::for_each_packet<Scalar>(
          p.dim(), [&](Index d, const auto& load, const auto& store) PLAIT_INLINE {
            const auto slope = ei::psub(load(upstream + d), mean);
            store(out + d, ei::pdiv(ei::pmul(load(weights + d), slope), divisor));
          });
    }
}

}  // namespace plait::kernels
