namespace plait::kernels::PLAIT_SET {

namespace detail {

// Ids ahead of the one that is read. Rows of few lines are found as fast without asking.
inline constexpr Index ids_ahead = 16;
inline constexpr Index bytes_to_ask_for = 192;

template <class Scalar>
PLAIT_INLINE inline const Scalar* row_of(const Bags<Scalar>& bags, Index i) {
  return bags.table + static_cast<std::size_t>(bags.ids[i]) * static_cast<std::size_t>(bags.dim);
}

template <class Scalar>
PLAIT_INLINE inline void ask_for_row(const Bags<Scalar>& bags, Index i) {
  constexpr Index line = Index{64} / Index{sizeof(Scalar)};
  const Scalar* row = row_of(bags, i);
  for (Index d = 0; d < bags.dim; d += line) simd::prefetch(row + d);
}

// Numbers [first, first + Packets packets) of all rows' vectors; the last packet has `last`.
template <int Packets, class Scalar>
void pool(const Bags<Scalar>& bags, Index first, Index last, Index rows, Scalar* y,
          Index y_stride) {
  constexpr Index w = simd::width<Scalar>;
  const bool asks = first == 0 && bags.dim * Index{sizeof(Scalar)} >= bytes_to_ask_for;
  const auto begin_of = [&](Index b) PLAIT_INLINE {
    return bags.offsets == nullptr ? b : static_cast<Index>(bags.offsets[b]);
  };
  const Index end_of_all = begin_of(rows);
  Index i = begin_of(0);
  for (Index b = 0; b < rows; ++b, y += y_stride) {
    const Index begin = i;
    const Index end = begin_of(b + 1);
    simd::Packet<Scalar> sum[std::size_t{Packets}];
#pragma GCC unroll 8
    for (int v = 0; v < Packets; ++v) sum[v] = simd::broadcast(Scalar(0));
    for (; i < end; ++i) {
      if (asks && i + ids_ahead < end_of_all) ask_for_row(bags, i + ids_ahead);
      const Scalar* row = row_of(bags, i) + first;
      const auto weight =
          simd::broadcast(bags.weights == nullptr ? Scalar(1) : Scalar(bags.weights[i]));
#pragma GCC unroll 8
      for (int v = 0; v < Packets; ++v)
        sum[v] = simd::fma(v + 1 < Packets || last == w ? simd::load(row + v * w)
                                                        : simd::load_part(row + v * w, last),
                           weight, sum[v]);
    }
    const Scalar factor =
        bags.mean && end - begin > 1 ? Scalar(1) / static_cast<Scalar>(end - begin) : Scalar(1);
#pragma GCC unroll 8
    for (int v = 0; v < Packets; ++v)
      if (v + 1 < Packets || last == w)
        simd::store(y + first + v * w, sum[v] * factor);
      else
        simd::store_part(y + first + v * w, sum[v] * factor, last);
  }
}

}  // namespace detail

template <class Scalar>
void lookup(const Bags<Scalar>& bags, Index rows, Scalar* y, Index y_stride) {
  constexpr Index w = simd::width<Scalar>;
  for (Index first = 0; first < bags.dim;) {
    const Index numbers = bags.dim - first;
    const auto run = [&]<int Packets>() PLAIT_INLINE {
      const Index last = (std::min)(numbers - (Packets - 1) * w, w);
      detail::pool<Packets>(bags, first, last, rows, y, y_stride);
      first += Packets * w;
    };
    // As many sums as fit in registers; a part of a packet counts as one.
    if (numbers > 7 * w)
      run.template operator()<8>();
    else if (numbers > 3 * w)
      run.template operator()<4>();
    else if (numbers > w)
      run.template operator()<2>();
    else
      run.template operator()<1>();
  }
}

}  // namespace plait::kernels::PLAIT_SET
