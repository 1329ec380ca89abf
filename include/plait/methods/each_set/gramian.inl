namespace plait::detail::PLAIT_SET {

template <class Scalar>
void convert(const Scalar* from, Index count, double* to) {
  for (Index i = 0; i < count; ++i) to[i] = static_cast<double>(from[i]);
}

// out[r] = <a, row r of b> for `Rows` rows at once and in two sums each, so that none waits for the
// one before it. `size` is a whole number of pairs of packets. Asks for numbers at `ahead`
// meanwhile: the tasks' gradients are too many streams for hardware to run ahead in all of them.
template <int Rows, class Scalar>
void row_products(const double* a, const double* b, Index stride, Index size, const Scalar* ahead,
                  double* out) {
  constexpr Index w = simd::width<double>;
  simd::Packet<double> even[std::size_t{Rows}];
  simd::Packet<double> odd[std::size_t{Rows}];
  for (int r = 0; r < Rows; ++r) even[r] = odd[r] = simd::broadcast(0.0);
  for (Index i = 0; i < size; i += 2 * w) {
    simd::prefetch(ahead + i);
    const simd::Packet<double> first = simd::load(a + i);
    const simd::Packet<double> second = simd::load(a + i + w);
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      const double* row = b + r * stride + i;
      even[r] = simd::fma(first, simd::load(row), even[r]);
      odd[r] = simd::fma(second, simd::load(row + w), odd[r]);
    }
  }
  for (int r = 0; r < Rows; ++r) out[r] = simd::sum<double>(even[r] + odd[r]);
}

// The lower triangle of gramian += G Gᵀ. Room: rows [T, gramian_piece], products [T].
template <class Scalar>
void add_products(TaskSpans<const Scalar> gradients, Eigen::MatrixXd& gramian, double* rows,
                  double* products) {
  const Index tasks = std::ssize(gradients);
  const Index size = std::ssize(gradients.front());
  constexpr Index step = 2 * simd::width<double>;
  static_assert(gramian_piece % step == 0);
  const auto row = [&](Index t) PLAIT_INLINE { return rows + t * gramian_piece; };
  const auto gradient_of = [&](Index t) PLAIT_INLINE {
    const std::span<const Scalar> gradient = gradients[static_cast<std::size_t>(t)];
    PLAIT_ASSERT(std::ssize(gradient) == size);
    return gradient.data();
  };
  for (Index first = 0; first < size; first += gramian_piece) {
    const Index count = (std::min)(gramian_piece, size - first);
    const Index whole = (count + step - 1) / step * step;
    for (Index t = 0; t < tasks; ++t) {
      convert(gradient_of(t) + first, count, row(t));
      std::fill_n(row(t) + count, whole - count, 0.0);
    }
    const auto products_of = [&]<int Rows>(Index t, Index s) PLAIT_INLINE {
      row_products<Rows>(row(t), row(s), gramian_piece, whole,
                         gradient_of(t) + first + gramian_ahead, products + s);
      return s + Rows;
    };
    for (Index t = 0; t < tasks; ++t) {
      Index s = 0;
      while (s + 4 <= t + 1) s = products_of.template operator()<4>(t, s);
      while (s + 2 <= t + 1) s = products_of.template operator()<2>(t, s);
      if (s <= t) products_of.template operator()<1>(t, s);
      for (s = 0; s <= t; ++s) gramian(t, s) += products[s];
    }
  }
}

}  // namespace plait::detail::PLAIT_SET
