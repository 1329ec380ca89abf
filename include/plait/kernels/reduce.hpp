// Elementwise moves and sums over views.
#pragma once
#include <algorithm>
#include <cmath>
#include <span>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/packet.hpp"
#include "plait/kernels/quantity.hpp"

namespace plait::kernels {

// to[i] += from[i], `size` numbers.
template <class Scalar>
void add(Index size, const Scalar* from, Scalar* to) {
  simd::for_each_packet<Scalar>(
      size, [&](Index i, const auto& load, const auto& store) PLAIT_INLINE {
        store(to + i, Eigen::internal::padd(load(to + i), load(from + i)));
      });
}

// Calls f(from, to, size) for the rows of two views, or for all of them as one where both are
// contiguous.
template <class Scalar, class F>
void for_each_row(ConstView3<Scalar> src, View3<Scalar> dst, const F& f) {
  PLAIT_ASSERT(src.batch() == dst.batch() && src.shape() == dst.shape());
  if (dst.batch() == 0) return;
  const Index dim = dst.dim();
  for (Index s = 0; s < dst.slots(); ++s) {
    if (src.batch_stride() == dim && dst.batch_stride() == dim) {
      f(src.row(0, s), dst.row(0, s), dst.batch() * dim);
    } else {
      for (Index b = 0; b < dst.batch(); ++b) f(src.row(b, s), dst.row(b, s), dim);
    }
  }
}

// dst = 0.
template <class Scalar>
void set_zero(View3<Scalar> dst) {
  for (Index s = 0; s < dst.slots(); ++s)
    for (Index b = 0; b < dst.batch(); ++b) std::fill_n(dst.row(b, s), dst.dim(), Scalar(0));
}

// dst = src, slot by slot; src may be a broadcast view.
template <class Scalar>
void copy(ConstView3<Scalar> src, View3<Scalar> dst) {
  for_each_row(src, dst,
               [](const Scalar* from, Scalar* to, Index size) { std::copy_n(from, size, to); });
}

// dst += src.
template <class Scalar>
void add(ConstView3<Scalar> src, View3<Scalar> dst) {
  for_each_row(src, dst, [](const Scalar* from, Scalar* to, Index size) { add(size, from, to); });
}

// dst += scale * src.
template <class Scalar>
void add_scaled(std::type_identity_t<Scalar> scale, ConstView3<Scalar> src, View3<Scalar> dst) {
  using Q = simd::Quantity<Scalar>;
  for_each_row(src, dst, [&](const Scalar* from, Scalar* to, Index size) {
    simd::for_each_packet<Scalar>(size,
                                  [&](Index i, const auto& load, const auto& store) PLAIT_INLINE {
                                    const Q sum = Q(load(to + i)) + Q(scale) * Q(load(from + i));
                                    store(to + i, sum.packet);
                                  });
  });
}

// Backward of View3::broadcast: dst (one slot) = sum of src over its slots.
template <class Scalar>
void sum_slots(ConstView3<Scalar> src, View3<Scalar> dst) {
  PLAIT_ASSERT(dst.slots() == 1);
  set_zero(dst);
  for (Index s = 0; s < src.slots(); ++s) add(src.slot(s), dst);
}

// Of `size` numbers: sums[j] is that of numbers j, j + width, ...: whoever asks for finiteness
// needs no order. f maps a packet of numbers and the sum so far to the next one.
template <class Scalar, class F>
Scalar fold(Index size, const Scalar* numbers, const F& f) {
  auto sum = simd::broadcast(Scalar(0));
  simd::for_each_packet<Scalar>(size, [&](Index i, const auto& load, const auto&)
                                          PLAIT_INLINE { sum = f(load(numbers + i), sum); });
  return Eigen::internal::predux(sum);
}

// No NaN and no infinity: only their products with 0 are not 0, so that a sum tells.
template <class Scalar>
bool all_finite(View3<const Scalar> x) {
  const auto zero = simd::broadcast(Scalar(0));
  const auto times_zero = [&](const auto& v, const auto& sum)
                              PLAIT_INLINE { return Eigen::internal::pmadd(v, zero, sum); };
  for (Index s = 0; s < x.slots(); ++s)
    for (Index b = 0; b < x.batch(); ++b)
      if (!(fold(x.dim(), x.row(b, s), times_zero) == 0)) return false;
  return true;
}

template <class Scalar>
bool all_finite(std::span<const Scalar> x) {
  const auto zero = simd::broadcast(Scalar(0));
  return fold(std::ssize(x), x.data(), [&](const auto& v, const auto& sum) PLAIT_INLINE {
           return Eigen::internal::pmadd(v, zero, sum);
         }) == 0;
}

// Σ x² is finite, so that no number is too large to be squared either.
template <class Scalar>
bool has_finite_norm(Index size, const Scalar* x) {
  return std::isfinite(fold(size, x, [](const auto& v, const auto& sum) PLAIT_INLINE {
    return Eigen::internal::pmadd(v, v, sum);
  }));
}

// out[d] += sum over the batch of x[b, 0, d], whole before it is added: in sums of up to 128 rows.
template <class Scalar>
void add_batch_sums(ConstView3<Scalar> x, Scalar* out) {
  constexpr Index rows = 128;
  constexpr Index width = 128;
  alignas(buffer_alignment) Scalar sums[width];
  for (Index d = 0; d < x.dim(); d += width) {
    const Index count = (std::min)(width, x.dim() - d);
    for (Index first = 0; first < x.batch(); first += rows) {
      std::fill_n(sums, count, Scalar(0));
      const Index end = (std::min)(first + rows, x.batch());
      for (Index b = first; b < end; ++b) add(count, x.row(b) + d, sums);
      add(count, sums, out + d);
    }
  }
}

}  // namespace plait::kernels
