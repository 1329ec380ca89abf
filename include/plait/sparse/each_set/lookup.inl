namespace plait::kernels::PLAIT_SET {

namespace detail {

// Ids ahead of the one that is read. Rows of few lines are found as fast without asking.
inline constexpr Index ids_ahead = 16;
inline constexpr Index bytes_to_ask_for = 192;

template <class Rows>
PLAIT_INLINE inline std::size_t row_of(const Rows&, const Bags& bags, Index i) {
  const std::uint64_t id = bags.ids[i];
  return static_cast<std::size_t>(id < bags.table_rows ? id : 0);
}
template <class Rows>
PLAIT_INLINE inline std::size_t row_of(const GrowingRows<Rows>& table, const Bags& bags, Index i) {
  return static_cast<std::size_t>(table.ids->row(bags.ids[i]));
}

// One row that is read: packets of its numbers, times a weight, are added to a sum, and what all of
// its numbers have more, times the weight, to the sum of that.
template <class Scalar>
class Row {
 public:
  static constexpr bool has_bias = false;

  PLAIT_INLINE Row(const FullRows<Scalar>& table, Index dim, std::size_t row, Scalar weight)
      : data_(table.data + row * static_cast<std::size_t>(dim)), weight_(simd::broadcast(weight)) {}

  PLAIT_INLINE simd::Packet<Scalar> add(Index d, const simd::Packet<Scalar>& sum) const {
    return simd::fma(simd::load(data_ + d), weight_, sum);
  }
  PLAIT_INLINE simd::Packet<Scalar> add_part(Index d, Index count,
                                             const simd::Packet<Scalar>& sum) const {
    return simd::fma(simd::load_part(data_ + d, count), weight_, sum);
  }
  PLAIT_INLINE static Index bytes(Index dim) { return dim * Index{sizeof(Scalar)}; }

 private:
  const Scalar* data_;
  simd::Packet<Scalar> weight_;
};

class ByteRow {
  using Packet = simd::Packet<float>;

 public:
  static constexpr bool has_bias = true;

  PLAIT_INLINE ByteRow(const ByteRows& table, Index dim, std::size_t row, float weight)
      : data_(table.data + row * static_cast<std::size_t>(bytes(dim))) {
    float scale_and_bias[2];
    __builtin_memcpy(scale_and_bias, data_ + dim, sizeof(scale_and_bias));
    scale_ = simd::broadcast(weight * scale_and_bias[0]);
    bias_ = weight * scale_and_bias[1];
  }

  PLAIT_INLINE float bias() const { return bias_; }

  PLAIT_INLINE Packet add(Index d, const Packet& sum) const {
    return simd::fma(numbers(data_ + d), scale_, sum);
  }
  PLAIT_INLINE Packet add_part(Index d, Index count, const Packet& sum) const {
    std::uint8_t q[std::size_t{simd::width<float>}] = {};
    __builtin_memcpy(q, data_ + d, static_cast<std::size_t>(count));
    return simd::fma(numbers(q), scale_, sum);
  }
  PLAIT_INLINE static Index bytes(Index dim) { return bytes_of_byte_row(dim); }

 private:
  // A packet of bytes as floats.
  PLAIT_INLINE static Packet numbers(const std::uint8_t* q) {
#if PLAIT_SET_BYTES == 64
    constexpr auto all = static_cast<__mmask16>(-1);
    return _mm512_maskz_cvtepi32_ps(
        all, _mm512_maskz_cvtepu8_epi32(all, _mm_loadu_si128(reinterpret_cast<const __m128i*>(q))));
#elif PLAIT_SET_BYTES == 32
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(q))));
#else
    const simd::Bits<float> whole = {q[0], q[1], q[2], q[3]};
    return __builtin_convertvector(whole, Packet);
#endif
  }

  const std::uint8_t* data_;
  Packet scale_;
  float bias_;
};

template <class Scalar>
Row<Scalar> row_type(const FullRows<Scalar>&);
ByteRow row_type(const ByteRows&);

// Numbers [first, first + Packets packets) of all rows' vectors; the last packet has `last`.
template <int Packets, class Rows, class Scalar>
void pool(const Rows& table, Index dim, const Bags& bags, Index first, Index last, Index rows,
          Scalar* y, Index y_stride) {
  using ReadRow = decltype(row_type(table));
  constexpr Index w = simd::width<Scalar>;
  const Index row_bytes = ReadRow::bytes(dim);
  const bool asks = first == 0 && row_bytes >= bytes_to_ask_for;
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
    Scalar bias = 0;
    for (; i < end; ++i) {
      if (asks && i + ids_ahead < end_of_all) {
        const auto* ahead =
            reinterpret_cast<const char*>(table.data) +
            row_of(table, bags, i + ids_ahead) * static_cast<std::size_t>(row_bytes);
        for (Index byte = 0; byte < row_bytes; byte += 64) simd::prefetch(ahead + byte);
      }
      const ReadRow row(table, dim, row_of(table, bags, i),
                        bags.weights == nullptr ? Scalar(1) : Scalar(bags.weights[i]));
      if constexpr (ReadRow::has_bias) bias += row.bias();
#pragma GCC unroll 8
      for (int v = 0; v < Packets; ++v)
        sum[v] = v + 1 < Packets || last == w ? row.add(first + v * w, sum[v])
                                              : row.add_part(first + v * w, last, sum[v]);
    }
    if constexpr (ReadRow::has_bias)
#pragma GCC unroll 8
      for (int v = 0; v < Packets; ++v) sum[v] = sum[v] + bias;
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

template <class Rows, class Scalar>
void lookup(const Rows& table, Index dim, const Bags& bags, Index rows, Scalar* y, Index y_stride) {
  constexpr Index w = simd::width<Scalar>;
  Index first = 0;
  while (first < dim) {
    const Index numbers = dim - first;
    const auto run = [&]<int Packets>() PLAIT_INLINE {
      const Index last = (std::min)(numbers - (Packets - 1) * w, w);
      detail::pool<Packets>(table, dim, bags, first, last, rows, y, y_stride);
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
