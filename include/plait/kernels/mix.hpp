// Mixing: every unit's output as a weighted sum of the experts that it selects,
//
//   y_bu = Σ_j w_buj E_b,expert(u,j),
//
// a small product per sample (torch.bmm). The weights of all units lie side by side, one column for
// each selected expert. What they are, a gate's softmax, static weights or the sum of both, is the
// caller's business. docs/mathematics.md, P4 and P5.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/function_ref.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/packet.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/kernels/selections.hpp"

namespace plait::kernels {

namespace detail {

// y[d ... d + Packets * width) of `Units` units of one sample, summed in registers: each expert is
// read once. `rest` numbers of the last packet are there. Experts and units are short streams, too
// many for hardware to foresee: every line asks for the one of the next sample.
template <int Units, int Packets, class Scalar>
void mix_chunk(View3<const Scalar> experts, std::span<const Selections::Step> steps,
               const Scalar* weights, Index d, View3<Scalar> y, Index rest) {
  constexpr Index w = simd::width<Scalar>;
  const bool whole = rest == w;
  simd::Packet<Scalar> sum[std::size_t{Units}][std::size_t{Packets}];
#pragma GCC unroll 4
  for (int u = 0; u < Units; ++u)
#pragma GCC unroll 16
    for (int v = 0; v < Packets; ++v) {
      sum[u][v] = simd::broadcast(Scalar(0));
      simd::prefetch_to_write(y.data() + u * y.slot_stride() + d + v * w + y.batch_stride());
    }
  for (const auto& step : steps) {
    const Scalar* expert = experts.data() + step.expert * experts.slot_stride() + d;
    simd::Packet<Scalar> output[std::size_t{Packets}];
#pragma GCC unroll 16
    for (int v = 0; v < Packets; ++v) {
      simd::prefetch(expert + v * w + experts.batch_stride());
      output[v] = v + 1 < Packets || whole ? simd::load(expert + v * w)
                                           : simd::load_part(expert + v * w, rest);
    }
#pragma GCC unroll 4
    for (int u = 0; u < Units; ++u) {
      const Index column = step.columns[static_cast<std::size_t>(u)];
      if (column < 0) continue;
      const auto weight = simd::broadcast(weights[column]);
#pragma GCC unroll 16
      for (int v = 0; v < Packets; ++v)
        sum[u][v] = Eigen::internal::pmadd(weight, output[v], sum[u][v]);
    }
  }
#pragma GCC unroll 4
  for (int u = 0; u < Units; ++u)
#pragma GCC unroll 16
    for (int v = 0; v < Packets; ++v) {
      Scalar* to = y.data() + u * y.slot_stride() + d + v * w;
      if (v + 1 < Packets || whole) {
        simd::store(to, sum[u][v]);
      } else {
        simd::store_part(to, sum[u][v], rest);
      }
    }
}

// One sample of a group of units.
template <int Units, class Scalar>
void mix_group(View3<const Scalar> experts, std::span<const Selections::Step> steps,
               const Scalar* weights, View3<Scalar> y) {
  constexpr Index w = simd::width<Scalar>;
  // As many sums as leave registers for the experts.
  constexpr int packets = (simd::registers >= 32 ? 16 : 8) / (Units == 3 ? 4 : Units);
  Index d = 0;
  for (; d + packets * w <= y.dim(); d += packets * w)
    mix_chunk<Units, packets>(experts, steps, weights, d, y, w);
  for (; d < y.dim(); d += w)
    mix_chunk<Units, 1>(experts, steps, weights, d, y, (std::min)(w, y.dim() - d));
}

// One expert's gradient and those of `Uses` of its weights for sample b, in one pass over the
// expert. Adds to dexpert unless it is the first group of uses; with `relu` what is added to must
// be zero where the expert is not positive, and the sum is.
template <int Uses, class Scalar>
void mix_backward_uses(View3<const Scalar> experts, Index slot,
                       std::span<const Selections::Use> uses, const Scalar* weights,
                       View3<const Scalar> dy, Index b, bool first, bool relu,
                       View3<Scalar> dexperts, Scalar* dweights) {
  simd::Packet<Scalar> weight[std::size_t{Uses}];
  simd::Packet<Scalar> product[std::size_t{Uses}];
  const Scalar* upstream[std::size_t{Uses}];
  for (int i = 0; i < Uses; ++i) {
    const auto& use = uses[static_cast<std::size_t>(i)];
    weight[i] = simd::broadcast(weights[use.column]);
    product[i] = simd::broadcast(Scalar(0));
    upstream[i] = dy.row(b, use.unit);
  }
  const Scalar* expert = experts.row(b, slot);
  Scalar* dexpert = dexperts.row(b, slot);
  const auto step = [&](Index d, const auto& load, const auto& store) PLAIT_INLINE {
    simd::prefetch(expert + d + experts.batch_stride());
    simd::prefetch_to_write(dexpert + d + dexperts.batch_stride());
    const auto output = load(expert + d);
    auto gradient = first ? simd::broadcast(Scalar(0)) : load(dexpert + d);
#pragma GCC unroll 4
    for (int i = 0; i < Uses; ++i) {
      const auto part = load(upstream[i] + d);
      gradient = Eigen::internal::pmadd(weight[i], part, gradient);
      product[i] = Eigen::internal::pmadd(part, output, product[i]);
    }
    if (relu) gradient = simd::where_positive<Scalar>(output, gradient);
    store(dexpert + d, gradient);
  };
  simd::for_each_packet<Scalar>(dy.dim(), step);
  for (int i = 0; i < Uses; ++i)
    dweights[uses[static_cast<std::size_t>(i)].column] = Eigen::internal::predux(product[i]);
}

// The same for all uses of the expert, which may have none.
template <class Scalar>
void mix_backward_expert(View3<const Scalar> experts, Index slot,
                         std::span<const Selections::Use> uses, const Scalar* weights,
                         View3<const Scalar> dy, Index b, bool relu, View3<Scalar> dexperts,
                         Scalar* dweights) {
  if (uses.empty()) set_zero(dexperts.slot(slot).rows(b, 1));
  bool overwrites = true;
  const auto take = [&]<int Uses>() {
    mix_backward_uses<Uses>(experts, slot, uses, weights, dy, b, overwrites, relu, dexperts,
                            dweights);
    uses = uses.subspan(Uses);
    overwrites = false;
  };
  while (uses.size() >= 4) take.template operator()<4>();
  if (uses.size() == 3) take.template operator()<3>();
  if (uses.size() == 2) take.template operator()<2>();
  if (uses.size() == 1) take.template operator()<1>();
}

}  // namespace detail

// experts [B, E, H], weights [B, 1, columns], y [B, units, H] overwritten.
template <class Scalar>
void mix(ConstView3<Scalar> experts, const Selections& selections, ConstView3<Scalar> weights,
         View3<Scalar> y) {
  PLAIT_ASSERT(experts.batch() == y.batch() && experts.dim() == y.dim());
  PLAIT_ASSERT(weights.batch() == y.batch() && weights.dim() == selections.columns());
  PLAIT_ASSERT(y.slots() == selections.units() && experts.slots() == selections.experts());
  for (Index b = 0; b < y.batch(); ++b)
    for (Index g = 0; g < selections.groups(); ++g) {
      const auto mix_units = [&]<int Units>() {
        if (selections.unit_count(g) == Units)
          detail::mix_group<Units>(experts.rows(b, 1), selections.steps(g), weights.row(b),
                                   y.rows(b, 1).slot_range(selections.first_unit(g), Units));
      };
      mix_units.template operator()<1>();
      mix_units.template operator()<2>();
      mix_units.template operator()<3>();
      mix_units.template operator()<4>();
    }
}

// Reverses mix for the experts from `first` on, as many as `experts` has slots:
// dE_be = Σ_uses w_buj dy_bu and, for their columns alone, dw_buj = <dy_bu, E_be>. Both are
// overwritten. experts and dexperts [B, some, H], weights and dweights [B, 1, columns],
// dy [B, units, H]. With `relu` the experts are a ReLU's outputs, and dE is that of its inputs: 0
// where E is not positive.
template <class Scalar>
void mix_backward(ConstView3<Scalar> experts, const Selections& selections, Index first,
                  ConstView3<Scalar> weights, ConstView3<Scalar> dy, View3<Scalar> dexperts,
                  View3<Scalar> dweights, bool relu = false) {
  PLAIT_ASSERT(experts.batch() == dy.batch() && experts.dim() == dy.dim());
  PLAIT_ASSERT(dexperts.batch() == dy.batch() && dexperts.shape() == experts.shape());
  PLAIT_ASSERT(weights.batch() == dy.batch() && weights.dim() == selections.columns());
  PLAIT_ASSERT(dweights.batch() == dy.batch() && dweights.dim() == selections.columns());
  PLAIT_ASSERT(0 <= first && first + experts.slots() <= selections.experts());
  PLAIT_ASSERT(dy.slots() == selections.units());
  for (Index b = 0; b < dy.batch(); ++b)
    for (Index slot = 0; slot < experts.slots(); ++slot)
      detail::mix_backward_expert(experts, slot, selections.uses(first + slot), weights.row(b), dy,
                                  b, relu, dexperts, dweights.row(b));
}

// The same for one expert and some of its uses.
template <class Scalar>
void mix_backward(ConstView3<Scalar> expert, std::span<const Selections::Use> uses,
                  ConstView3<Scalar> weights, ConstView3<Scalar> dy, View3<Scalar> dexpert,
                  View3<Scalar> dweights, bool relu = false) {
  PLAIT_ASSERT(expert.slots() == 1 && dexpert.shape() == expert.shape());
  for (Index b = 0; b < dy.batch(); ++b)
    detail::mix_backward_expert(expert, 0, uses, weights.row(b), dy, b, relu, dexpert,
                                dweights.row(b));
}

// How many experts mix_backward_each takes at a time: fewer read dy more often, more push each
// other out of the cache before their gradients are used.
inline constexpr Index experts_together = 3;

// mix_backward for all experts, a few at a time: take(e, dE_e) uses the gradient of an expert while
// it is in cache. dexperts [B, experts_together, H] is room for them.
template <class Scalar>
void mix_backward_each(ConstView3<Scalar> experts, const Selections& selections,
                       ConstView3<Scalar> weights, ConstView3<Scalar> dy, View3<Scalar> dexperts,
                       View3<Scalar> dweights, bool relu,
                       std::type_identity_t<FunctionRef<void(Index, View3<const Scalar>)>> take) {
  for (Index first = 0; first < experts.slots(); first += experts_together) {
    const Index count = (std::min)(experts_together, experts.slots() - first);
    mix_backward<Scalar>(experts.slot_range(first, count), selections, first, weights, dy,
                         dexperts.slot_range(0, count), dweights, relu);
    for (Index i = 0; i < count; ++i) take(first + i, dexperts.slot(i));
  }
}

}  // namespace plait::kernels
