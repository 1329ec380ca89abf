namespace plait::kernels::PLAIT_SET {

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
      for (int v = 0; v < Packets; ++v) sum[u][v] = simd::fma(weight, output[v], sum[u][v]);
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
  const auto zero = simd::broadcast(Scalar(0));
  const Scalar* expert = experts.row(b, slot);
  Scalar* dexpert = dexperts.row(b, slot);
  simd::for_each_packet<Scalar>(dy.dim(), [&](Index d, const auto& memory) PLAIT_INLINE {
    simd::prefetch(expert + d + experts.batch_stride());
    simd::prefetch_to_write(dexpert + d + dexperts.batch_stride());
    const auto output = memory.load(expert + d);
    auto gradient = first ? zero : memory.load(dexpert + d);
#pragma GCC unroll 4
    for (int i = 0; i < Uses; ++i) {
      const auto part = memory.load(upstream[i] + d);
      gradient = simd::fma(weight[i], part, gradient);
      product[i] = simd::fma(part, output, product[i]);
    }
    if (relu) gradient = output > zero ? gradient : zero;
    memory.store(dexpert + d, gradient);
  });
  for (int i = 0; i < Uses; ++i)
    dweights[uses[static_cast<std::size_t>(i)].column] = simd::sum<Scalar>(product[i]);
}

// The same for all uses of the expert, which may have none.
template <class Scalar>
void mix_backward_expert(View3<const Scalar> experts, Index slot,
                         std::span<const Selections::Use> uses, const Scalar* weights,
                         View3<const Scalar> dy, Index b, bool relu, View3<Scalar> dexperts,
                         Scalar* dweights) {
  if (uses.empty()) set_zero(dexperts.slot(slot).rows(b, 1));
  bool overwrites = true;
  const auto take = [&]<int Uses>() PLAIT_INLINE {
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

template <class Scalar>
void mix(View3<const Scalar> experts, const Selections& selections, View3<const Scalar> weights,
         View3<Scalar> y) {
  for (Index b = 0; b < y.batch(); ++b)
    for (Index g = 0; g < selections.groups(); ++g) {
      const auto mix_units = [&]<int Units>() PLAIT_INLINE {
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

template <class Scalar>
void mix_backward(View3<const Scalar> experts, const Selections& selections, Index first,
                  View3<const Scalar> weights, View3<const Scalar> dy, View3<Scalar> dexperts,
                  View3<Scalar> dweights, bool relu) {
  for (Index b = 0; b < dy.batch(); ++b)
    for (Index slot = 0; slot < experts.slots(); ++slot)
      detail::mix_backward_expert(experts, slot, selections.uses(first + slot), weights.row(b), dy,
                                  b, relu, dexperts, dweights.row(b));
}

template <class Scalar>
void mix_backward(View3<const Scalar> expert, std::span<const Selections::Use> uses,
                  View3<const Scalar> weights, View3<const Scalar> dy, View3<Scalar> dexpert,
                  View3<Scalar> dweights, bool relu) {
  for (Index b = 0; b < dy.batch(); ++b)
    detail::mix_backward_expert(expert, 0, uses, weights.row(b), dy, b, relu, dexpert,
                                dweights.row(b));
}

}  // namespace plait::kernels::PLAIT_SET
