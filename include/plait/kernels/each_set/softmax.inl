namespace plait::kernels::PLAIT_SET {

namespace detail {

// Rows of a few numbers lie closer than a packet is wide: a row read just after the one before it
// was written would wait for that. So all `Rows` are read before one is written, and keep the
// machine busy side by side.
template <int Rows, class Scalar>
void softmax_rows(const simd::Packet<Scalar>& temperature, Scalar* rows, Index stride, Index dim) {
  constexpr Index w = simd::width<Scalar>;
  const Index whole = dim / w * w;
  const Index rest = dim - whole;
  simd::Packet<Scalar> tail[std::size_t{Rows}];
  simd::Packet<Scalar> top[std::size_t{Rows}];
  simd::Packet<Scalar> sum[std::size_t{Rows}];
  const auto exponential = [&](int j, const simd::Packet<Scalar>& a) PLAIT_INLINE {
    const auto e = simd::decay<Scalar>((top[j] - a) / temperature);
    sum[j] = sum[j] + e;
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
    for (int j = 0; j < Rows; ++j) top[j] = simd::larger(top[j], simd::load(rows + j * stride + d));
#pragma GCC unroll 4
  for (int j = 0; j < Rows; ++j) {
    top[j] = simd::broadcast(simd::largest<Scalar>(top[j]));
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
  for (int j = 0; j < Rows; ++j) sum[j] = simd::broadcast(Scalar(1) / simd::sum<Scalar>(sum[j]));
  for (Index d = 0; d < whole; d += w)
#pragma GCC unroll 4
    for (int j = 0; j < Rows; ++j) {
      Scalar* numbers = rows + j * stride + d;
      simd::store(numbers, simd::load(numbers) * sum[j]);
    }
  if (rest > 0)
#pragma GCC unroll 4
    for (int j = 0; j < Rows; ++j)
      simd::store_part(rows + j * stride + whole, tail[j] * sum[j], rest);
}

}  // namespace detail

template <class Scalar>
void softmax(Scalar temperature, View3<Scalar> p) {
  const auto divisor = simd::broadcast(temperature);
  for (Index s = 0; s < p.slots(); ++s) {
    Index b = 0;
    const auto take = [&]<int Rows>() PLAIT_INLINE {
      detail::softmax_rows<Rows>(divisor, p.row(b, s), p.batch_stride(), p.dim());
      b += Rows;
    };
    while (p.batch() - b >= 4) take.template operator()<4>();
    if (p.batch() - b == 3) take.template operator()<3>();
    if (p.batch() - b == 2) take.template operator()<2>();
    if (p.batch() - b == 1) take.template operator()<1>();
  }
}

template <class Scalar>
void softmax_backward(Scalar temperature, View3<const Scalar> p, View3<const Scalar> dp,
                      View3<Scalar> da) {
  const auto divisor = simd::broadcast(temperature);
  for (Index s = 0; s < p.slots(); ++s)
    for (Index b = 0; b < p.batch(); ++b) {
      const Scalar* weights = p.row(b, s);
      const Scalar* upstream = dp.row(b, s);
      Scalar* out = da.row(b, s);
      auto sum = simd::broadcast(Scalar(0));
      simd::for_each_packet<Scalar>(p.dim(), [&](Index d, const auto& memory) PLAIT_INLINE {
        sum = simd::fma(memory.load(weights + d), memory.load(upstream + d), sum);
      });
      const auto mean = simd::broadcast(simd::sum<Scalar>(sum));
      simd::for_each_packet<Scalar>(p.dim(), [&](Index d, const auto& memory) PLAIT_INLINE {
        const auto slope = memory.load(upstream + d) - mean;
        memory.store(out + d, memory.load(weights + d) * slope / divisor);
      });
    }
}

}  // namespace plait::kernels::PLAIT_SET
