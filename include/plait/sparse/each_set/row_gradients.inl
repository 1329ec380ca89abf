namespace plait::kernels::PLAIT_SET {

namespace detail {

// Ids ahead of those that are summed.
inline constexpr Index entries_ahead = 12;
// Gradients that are added in Scalar.
inline constexpr Index entries_per_run = 64;

template <class Scalar>
PLAIT_INLINE inline void ask_for_numbers(const Scalar* numbers, Index count) {
  constexpr Index line = Index{64} / Index{sizeof(Scalar)};
  for (Index d = 0; d < count; d += line) simd::prefetch(numbers + d);
}

// to [dim] = Σ over entries [begin, end) of weight * gradient.
template <class Scalar>
void sum_run(const RowGradients<Scalar>& of, Index begin, Index end, Scalar* to) {
  constexpr Index w = simd::width<Scalar>;
  const RowEntries& entries = *of.entries;
  Index first = 0;
  while (first < of.dim) {
    const auto run = [&]<int Packets>() PLAIT_INLINE {
      const Index last = (std::min)(of.dim - first - (Packets - 1) * w, w);
      simd::Packet<Scalar> sum[std::size_t{Packets}];
#pragma GCC unroll 4
      for (int v = 0; v < Packets; ++v) sum[v] = simd::broadcast(Scalar(0));
      for (Index i = begin; i < end; ++i) {
        const Scalar* g = of.dx + entries.place(i) + first;
        const auto weight = simd::broadcast(Scalar(entries.weight(i)));
#pragma GCC unroll 4
        for (int v = 0; v < Packets; ++v)
          sum[v] = simd::fma(v + 1 < Packets || last == w ? simd::load(g + v * w)
                                                          : simd::load_part(g + v * w, last),
                             weight, sum[v]);
      }
#pragma GCC unroll 4
      for (int v = 0; v < Packets; ++v)
        if (v + 1 < Packets || last == w)
          simd::store(to + first + v * w, sum[v]);
        else
          simd::store_part(to + first + v * w, sum[v], last);
      first += Packets * w;
    };
    if (of.dim - first > 3 * w)
      run.template operator()<4>();
    else
      run.template operator()<1>();
  }
}

// The same of runs that are added in double.
template <class Scalar>
PLAIT_NOINLINE void sum_runs(const RowGradients<Scalar>& of, Index begin, Index end, Scalar* to) {
  double total[std::size_t{largest_embedding_dim}];
  std::fill_n(total, of.dim, 0.0);
  const RowEntries& entries = *of.entries;
  for (Index i = begin; i < end;) {
    const Index lane = entries.lane(i);
    Index j = i + 1;
    while (j < end && j - i < entries_per_run && entries.lane(j) == lane) ++j;
    sum_run(of, i, j, to);
    for (Index d = 0; d < of.dim; ++d) total[d] += static_cast<double>(to[d]);
    i = j;
  }
  for (Index d = 0; d < of.dim; ++d) to[d] = static_cast<Scalar>(total[d]);
}

}  // namespace detail

// f(row, gradient [dim]) for every row of a shard, in their order; ask(row) for one some way ahead.
// Declare both PLAIT_INLINE.
template <class Scalar, class F, class Ask>
PLAIT_INLINE inline void for_each_row(const RowGradients<Scalar>& of, Index shard, const F& f,
                                      const Ask& ask) {
  alignas(buffer_alignment) Scalar room[std::size_t{largest_embedding_dim}];
  const RowEntries& entries = *of.entries;
  const Index end = entries.shard_begin(shard + 1);
  for (Index i = entries.shard_begin(shard); i < end;) {
    const std::uint32_t key = entries.key(i);
    Index j = i + 1;
    while (j < end && entries.key(j) == key) ++j;
    if (const Index next = j + detail::entries_ahead; next < end) {
      ask(entries.row(entries.key(next)));
      detail::ask_for_numbers(of.dx + entries.place(next), of.dim);
    }
    const Scalar* gradient = room;
    if (j == i + 1 && entries.weight(i) == 1) {
      gradient = of.dx + entries.place(i);
    } else if (j - i <= detail::entries_per_run && entries.lane(i) == entries.lane(j - 1)) {
      detail::sum_run(of, i, j, room);
    } else {
      detail::sum_runs(of, i, j, room);
    }
    f(entries.row(key), gradient);
    i = j;
  }
}

template <class Scalar>
double squared_norm(const RowGradients<Scalar>& of, Index shard) {
  double sum = 0;
  for_each_row(
      of, shard,
      [&](Index, const Scalar* g) PLAIT_INLINE {
        for (Index d = 0; d < of.dim; ++d)
          sum += static_cast<double>(g[d]) * static_cast<double>(g[d]);
      },
      [](Index) PLAIT_INLINE {});
  return sum;
}

}  // namespace plait::kernels::PLAIT_SET
