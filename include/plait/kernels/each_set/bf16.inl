namespace plait::simd::PLAIT_SET {

namespace detail {

using Words = std::uint32_t __attribute__((vector_size(PLAIT_SET_BYTES)));

// The nearest bf16, ties to even, in the upper half of each word, and zeros below it.
PLAIT_INLINE inline Words bf16_of(const Packet<float>& x) {
  const Words bits = reinterpret_cast<Words>(x);
  const Words sign = bits & 0x80000000U;
  const auto size = reinterpret_cast<Bits<float>>(bits & 0x7fffffffU);
  Words rounded = bits + 0x7fffU + ((bits >> 16) & 1U);
  rounded = size > 0x7f800000 ? bits | 0x00400000U : rounded;  // NaN
  rounded = size < 0x00800000 ? sign : rounded;                // below the normal numbers
  return rounded & 0xffff0000U;
}

#if PLAIT_SET_BYTES == 64
// The same, in half the operations, of what has_special finds nothing in.
PLAIT_INLINE inline Packet<float> round_ordinary(const Packet<float>& x) {
  const Words up = reinterpret_cast<Words>(x) + 0x8000U;
  const auto bits = reinterpret_cast<__m512i>(up & 0xffff0000U);
  const __mmask16 tie =
      _mm512_testn_epi32_mask(reinterpret_cast<__m512i>(up), _mm512_set1_epi32(0xffff));
  return reinterpret_cast<Packet<float>>(
      _mm512_mask_and_epi32(bits, tie, bits, _mm512_set1_epi32(static_cast<int>(0xfffe0000U))));
}
// NaN, and numbers below the normal ones other than zero.
PLAIT_INLINE inline bool has_special(const Packet<float>& a, const Packet<float>& b) {
  constexpr int classes = 0x01 | 0x20 | 0x80;  // quiet NaN, denormal, signalling NaN
  return _mm512_kortestz(_mm512_fpclass_ps_mask(a, classes), _mm512_fpclass_ps_mask(b, classes)) ==
         0;
}
#endif

// The rounded numbers of x [size] as floats.
inline void round_numbers(Index size, const float* x, float* to) {
#if PLAIT_SET_BYTES == 64
  constexpr Index w = width<float>;
  for (; size >= 2 * w; size -= 2 * w, x += 2 * w, to += 2 * w) {
    const auto first = load(x), second = load(x + w);
    const bool special = has_special(first, second);
    store(to, special ? reinterpret_cast<Packet<float>>(bf16_of(first)) : round_ordinary(first));
    store(to + w,
          special ? reinterpret_cast<Packet<float>>(bf16_of(second)) : round_ordinary(second));
  }
#endif
  for_each_packet<float>(size, [&](Index i, const auto& memory) PLAIT_INLINE {
    memory.store(to + i, reinterpret_cast<Packet<float>>(bf16_of(memory.load(x + i))));
  });
}

#if PLAIT_SET_BYTES == 64

template <std::size_t... Places>
PLAIT_INLINE inline Words join(const Words& first, const Words& second,
                               std::index_sequence<Places...>) {
  const Words upper = __builtin_shufflevector(first, second, (static_cast<int>(Places) * 2)...);
  const Words lower = __builtin_shufflevector(first, second, (static_cast<int>(Places) * 2 + 1)...);
  return upper | (lower >> 16);
}

// The lanes (x[0], x[1]), (x[2], x[3]), ... of x [size]; beside an odd last number is `beside`.
// Fast: by the instruction that rounds, which few processors have.
template <bool Fast>
inline void round_pairs(Index size, const float* x, float beside, float* to) {
  constexpr Index w = width<float>;
  const auto pairs_of = [](const Packet<float>& first, const Packet<float>& second) PLAIT_INLINE {
    if constexpr (Fast) {
      Packet<float> lanes;  // second behind first, and of each pair the first number below
      asm("vcvtne2ps2bf16 %2, %1, %0" : "=v"(lanes) : "v"(second), "v"(first));
      const Words pairs = reinterpret_cast<Words>(lanes);
      return reinterpret_cast<Packet<float>>((pairs << 16) | (pairs >> 16));
    } else {
      return reinterpret_cast<Packet<float>>(
          join(bf16_of(first), bf16_of(second), Places<float>()));
    }
  };
  Index i = 0;
  for (; i + 2 * w <= size; i += 2 * w) store(to + i / 2, pairs_of(load(x + i), load(x + i + w)));
  if (i == size) return;
  const Index rest = size - i;
  store_part(to + i / 2,
             pairs_of(load_part(x + i, (std::min)(rest, w), beside),
                      load_part(x + i + w, (std::max)(rest - w, Index{0}), beside)),
             (rest + 1) / 2);
}

#endif

}  // namespace detail

#if PLAIT_SET_BYTES == 64

// The products of gemm.hpp for lanes of two bf16: first the upper halves', then the lower ones', of
// lanes of a as well. By hand, as only processors that have the instruction come here.
struct Pairs {
  static constexpr int parts = 1;
  static constexpr bool keeps = false;

  PLAIT_INLINE static Packet<float> add(const Packet<float>& number, const Packet<float>& b,
                                        const Packet<float>& sum) {
    Packet<float> result = sum;
    asm("vdpbf16ps %2, %1, %0" : "+v"(result) : "v"(number), "v"(b));
    return result;
  }
  template <int Packets, class P>
  PLAIT_INLINE static void take(const P& lanes, int v, P (&b)[std::size_t{Packets}]) {
    b[v] = lanes;
  }
  template <int Packets, class A, class P>
  PLAIT_INLINE static void add(const A& a, Index m, Index k, const P (&b)[std::size_t{Packets}],
                               P (&sum)[std::size_t{Packets}]) {
    const P number = broadcast(a(m, k));
#pragma GCC unroll 3
    for (int v = 0; v < Packets; ++v) sum[v] = add(number, b[v], sum[v]);
  }
};

// The same without the instruction: the two numbers of a lane of b are made floats, a's are.
struct WidenedPairs {
  static constexpr int parts = 2;
  static constexpr bool keeps = false;

  template <int Packets, class P>
  PLAIT_INLINE static void take(const P& lanes, int v, P (&b)[std::size_t{2 * Packets}]) {
    const auto words = reinterpret_cast<detail::Words>(lanes);
    b[v] = reinterpret_cast<P>(words & 0xffff0000U);
    b[Packets + v] = reinterpret_cast<P>(words << 16);
  }
  template <int Packets, class A, class P>
  PLAIT_INLINE static void add(const A& a, Index m, Index k, const P (&b)[std::size_t{2 * Packets}],
                               P (&sum)[std::size_t{Packets}]) {
    const P first = broadcast(a(m, 2 * k));
#pragma GCC unroll 3
    for (int v = 0; v < Packets; ++v) sum[v] = fma(first, b[v], sum[v]);
    const P second = broadcast(a(m, 2 * k + 1));
#pragma GCC unroll 3
    for (int v = 0; v < Packets; ++v) sum[v] = fma(second, b[Packets + v], sum[v]);
  }
};

// And the floats written down: the panel of Numbers.
struct KeptPairs : WidenedPairs {
  static constexpr bool keeps = true;
};

// So many rows pay for writing down what was widened; fewer widen it tile by tile.
inline constexpr Index rows_to_widen_for = 3 * tile_rows;

// multiply_packed of WidenedPairs for more than one tile of rows: the first widens for all, a piece
// of a panel at a time.
inline void multiply_widened(Index rows, Index columns, Index depth, Left<float, false> a,
                             const float* panels, Index whole, Index first, Start<float> start,
                             Finish finish, float* c, Index c_stride) {
  constexpr Index piece = widened_depth / WidenedPairs::parts;
  alignas(buffer_alignment) float room[widened_depth * tile_packets * width<float>];
  const Panels<float> layout(columns);
  for (Index p = 0; p < layout.count(); ++p) {
    const Index n = layout.first(p);
    const Index stride = layout.packets(p) * width<float>;
    const float* panel = panels + n * whole + first * stride;
    for (Index k = 0; k < depth; k += piece, panel += piece * stride) {
      const Index lanes = (std::min)(piece, depth - k);
      const auto multiply = [&]<class Product>(Index m, Index count, Panel<float> b) PLAIT_INLINE {
        float* sums = c + m * c_stride + n;
        const Start<float> begin =
            k > 0                  ? Start<float>{sums, c_stride}
            : start.row == nullptr ? Start<float>{}
                                   : Start<float>{start.row + m * start.stride + n, start.stride};
        multiply_panel<Product>(
            layout.packets(p), count, lanes * (2 / Product::parts), a.from(m, 2 * k), b, begin,
            k + lanes == depth ? finish : Finish::none, sums, c_stride, layout.columns(p));
      };
      multiply.template operator()<KeptPairs>(0, tile_rows, {panel, stride, nullptr, room});
      multiply.template operator()<Numbers>(tile_rows, rows - tile_rows,
                                            {room, stride, panel + lanes * stride});
    }
  }
}

#endif

// What a product reads of x: so many of its numbers for one lane of W, in so many floats; and how
// many rows it reads together before it takes them in pieces.
template <class Product>
struct RoundedRow {
  static constexpr Index per_lane = Product::parts;
  static constexpr Index floats_per_lane = per_lane;
  static constexpr Index together = rows_together;

  static void write(Index size, const float* x, float* to) {
    detail::round_numbers(size, x, to);
    if (size % per_lane != 0) to[size] = 0;
  }
};
#if PLAIT_SET_BYTES == 64
template <>
struct RoundedRow<Pairs> {
  static constexpr Index per_lane = 2;
  static constexpr Index floats_per_lane = 1;
  static constexpr Index together = tile_rows;

  static void write(Index size, const float* x, float* to) {
    detail::round_pairs<true>(size, x, 0, to);
  }
};
#endif

// c = start + x Wᵀ in bf16, W packed for the product. So many rows of x at a time, and of long rows
// so many numbers, as find room on the stack; sums go on where they stopped.
template <class Product>
void multiply_rounded(Index rows, Index columns, Index inputs, const float* x, Index x_stride,
                      const float* panels, Start<float> start, Finish finish, float* c,
                      Index c_stride) {
  using Row = RoundedRow<Product>;
  constexpr Index per_lane = Row::per_lane;
  constexpr Index lanes_of_room = rounded_room / per_lane;
  alignas(buffer_alignment) float room[lanes_of_room * Row::floats_per_lane];
  const Index depth = (inputs + per_lane - 1) / per_lane;  // lanes of W
  const Index least = (std::min)(Row::together, (rows + tile_rows - 1) / tile_rows * tile_rows);
  const Index piece = (std::min)(depth, lanes_of_room / least);
  const Index stride = piece * Row::floats_per_lane;
  const Index together = lanes_of_room / piece / tile_rows * tile_rows;
  for (Index m = 0; m < rows; m += together) {
    const Index count = (std::min)(together, rows - m);
    float* sums = c + m * c_stride;
    for (Index k = 0; k < depth; k += piece) {
      const Index lanes = (std::min)(piece, depth - k);
      const Index numbers = (std::min)(lanes * per_lane, inputs - k * per_lane);
      for (Index r = 0; r < count; ++r)
        Row::write(numbers, x + (m + r) * x_stride + k * per_lane, room + r * stride);
      const Start<float> begin =
          k > 0 ? Start<float>{sums, c_stride}
                : Start<float>{start.row == nullptr ? nullptr : start.row + m * start.stride,
                               start.stride};
      const Finish end = k + lanes == depth ? finish : Finish::none;
      const Left<float, false> left{room, stride};
#if PLAIT_SET_BYTES == 64
      if constexpr (std::is_same_v<Product, WidenedPairs>)
        if (count >= rows_to_widen_for) {
          multiply_widened(count, columns, lanes, left, panels, depth, k, begin, end, sums,
                           c_stride);
          continue;
        }
#endif
      multiply_packed<Product>(count, columns, lanes, left, panels, depth, k, begin, end, sums,
                               c_stride);
    }
  }
}

}  // namespace plait::simd::PLAIT_SET

namespace plait::kernels::PLAIT_SET {

inline void round_weights(PackedFormat format, Index size, const float* w, float* to) {
#if PLAIT_SET_BYTES == 64
  if (format == PackedFormat::pairs) return simd::detail::round_pairs<false>(size, w, -0.0F, to);
#endif
  PLAIT_ASSERT(format == PackedFormat::rounded);
  static_cast<void>(format);
  simd::detail::round_numbers(size, w, to);
}

inline void multiply_bf16(InstructionSet set, const PackedWeight<float>& weight,
                          View3<const float> x, simd::Start<float> start, simd::Finish finish,
                          View3<float> y) {
  const auto multiply = [&]<class Product>() PLAIT_INLINE {
    simd::multiply_rounded<Product>(y.batch(), y.dim(), weight.inputs, x.data(), x.batch_stride(),
                                    weight.panels, start, finish, y.data(), y.batch_stride());
  };
#if PLAIT_SET_BYTES == 64
  if (weight.format == PackedFormat::pairs && set == InstructionSet::avx512_bf16)
    return multiply.template operator()<simd::Pairs>();
  if (weight.format == PackedFormat::pairs)
    return multiply.template operator()<simd::WidenedPairs>();
#endif
  static_cast<void>(set);
  multiply.template operator()<simd::Numbers>();
}

}  // namespace plait::kernels::PLAIT_SET
