// Softmax over dim with temperature τ: p_d = exp(a_d / τ) / Σ_j exp(a_j / τ). Stable for any finite
// a.
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <limits>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/packet.hpp"

namespace plait {

// p = softmax(p / τ), in place, per sample and slot. A row with a NaN becomes NaN.
template <class Scalar>
void softmax(std::type_identity_t<Scalar> temperature, View3<Scalar> p) {
  namespace ei = Eigen::internal;
  constexpr Index w = simd::width<Scalar>;
  const auto divisor = simd::broadcast(temperature);
  const Index whole = p.dim() / w * w;
  const Index rest = p.dim() - whole;
  const auto tail_of = [&](Index b, Index s) {
    // Beyond the row: exponentials that vanish beside the largest, which is 1.
    return simd::load_part(p.row(b, s) + whole, rest, -std::numeric_limits<Scalar>::infinity());
  };
  for (Index s = 0; s < p.slots() && p.batch() > 0; ++s) {
    auto tail = tail_of(0, s);
    for (Index b = 0; b < p.batch(); ++b) {
      Scalar* row = p.row(b, s);
      auto top = tail;
      for (Index d = 0; d < whole; d += w) top = ei::pmax(top, simd::load(row + d));
      top = simd::broadcast(ei::predux_max(top));
      const auto exponential = [&](const simd::Packet<Scalar>& a) {
        return ei::pexp(ei::pdiv(ei::psub(a, top), divisor));
      };
      auto sum = simd::broadcast(Scalar(0));
      for (Index d = 0; d < whole; d += w) {
        const auto e = exponential(simd::load(row + d));
        simd::store(row + d, e);
        sum = ei::padd(sum, e);
      }
      tail = exponential(tail);
      if (rest > 0) sum = ei::padd(sum, tail);
      sum = simd::broadcast(ei::predux(sum));
      for (Index d = 0; d < whole; d += w) simd::store(row + d, ei::pdiv(simd::load(row + d), sum));
      // Rows of a few numbers lie closer than a packet is wide: read the next before writing this
      // one, or it waits until the store is done.
      const auto next = tail_of(std::min(b + 1, p.batch() - 1), s);
      simd::store_part(row + whole, ei::pdiv(tail, sum), rest);
      tail = next;
    }
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

}  // namespace plait
