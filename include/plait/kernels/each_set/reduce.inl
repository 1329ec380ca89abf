namespace plait::kernels::PLAIT_SET {

namespace detail {

// Calls f(from, to, size) for the rows of two views, or for all of them as one where both are
// contiguous.
template <class Scalar, class F>
void for_each_row(View3<const Scalar> src, View3<Scalar> dst, const F& f) {
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

// The sum of `size` numbers in parts that whoever asks for finiteness need not know: f maps a
// packet of numbers and the sum so far to the next sum.
template <class Scalar, class F>
Scalar fold(Index size, const Scalar* numbers, const F& f) {
  auto sum = simd::broadcast(Scalar(0));
  simd::for_each_packet<Scalar>(size, [&](Index i, const auto& memory)
                                          PLAIT_INLINE { sum = f(memory.load(numbers + i), sum); });
  return simd::sum<Scalar>(sum);
}

template <class Scalar>
bool has_finite_numbers(Index size, const Scalar* numbers) {
  using P = simd::Packet<Scalar>;
  const P zero = simd::broadcast(Scalar(0));
  return fold(size, numbers,
              [&](const P& v, const P& sum) PLAIT_INLINE { return simd::fma(v, zero, sum); }) == 0;
}

}  // namespace detail

template <class Scalar>
void add(Index size, const Scalar* from, Scalar* to) {
  simd::for_each_packet<Scalar>(size, [&](Index i, const auto& memory) PLAIT_INLINE {
    memory.store(to + i, memory.load(to + i) + memory.load(from + i));
  });
}

template <class Scalar>
void add(View3<const Scalar> src, View3<Scalar> dst) {
  detail::for_each_row(src, dst, [](const Scalar* from, Scalar* to, Index size) PLAIT_INLINE {
    add(size, from, to);
  });
}

template <class Scalar>
void add_scaled(Scalar scale, View3<const Scalar> src, View3<Scalar> dst) {
  const auto factor = simd::broadcast(scale);
  detail::for_each_row(src, dst, [&](const Scalar* from, Scalar* to, Index size) PLAIT_INLINE {
    simd::for_each_packet<Scalar>(size, [&](Index i, const auto& memory) PLAIT_INLINE {
      memory.store(to + i, memory.load(to + i) + factor * memory.load(from + i));
    });
  });
}

template <class Scalar>
void multiply(View3<const Scalar> a, View3<const Scalar> b, View3<Scalar> dst) {
  for (Index s = 0; s < dst.slots(); ++s)
    for (Index r = 0; r < dst.batch(); ++r) {
      const Scalar *left = a.row(r, s), *right = b.row(r, s);
      Scalar* const to = dst.row(r, s);
      simd::for_each_packet<Scalar>(dst.dim(), [&](Index i, const auto& memory) PLAIT_INLINE {
        memory.store(to + i, memory.load(left + i) * memory.load(right + i));
      });
    }
}

template <class Scalar>
void add_product(View3<const Scalar> a, View3<const Scalar> b, View3<Scalar> dst) {
  for (Index s = 0; s < dst.slots(); ++s)
    for (Index r = 0; r < dst.batch(); ++r) {
      const Scalar *left = a.row(r, s), *right = b.row(r, s);
      Scalar* const to = dst.row(r, s);
      simd::for_each_packet<Scalar>(dst.dim(), [&](Index i, const auto& memory) PLAIT_INLINE {
        memory.store(to + i,
                     simd::fma(memory.load(left + i), memory.load(right + i), memory.load(to + i)));
      });
    }
}

template <class Scalar>
bool all_finite(View3<const Scalar> x) {
  for (Index s = 0; s < x.slots(); ++s)
    for (Index b = 0; b < x.batch(); ++b)
      if (!detail::has_finite_numbers(x.dim(), x.row(b, s))) return false;
  return true;
}
template <class Scalar>
bool all_finite(std::span<const Scalar> x) {
  return detail::has_finite_numbers(std::ssize(x), x.data());
}

template <class Scalar>
Scalar squared_norm(Index size, const Scalar* x) {
  using P = simd::Packet<Scalar>;
  return detail::fold(size, x,
                      [](const P& v, const P& sum) PLAIT_INLINE { return simd::fma(v, v, sum); });
}

template <class Scalar>
void add_batch_sums(View3<const Scalar> x, Scalar* out) {
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

}  // namespace plait::kernels::PLAIT_SET
