namespace plait::simd::PLAIT_SET {

using simd::panel_depth;

// The register tile: rows x packets accumulators, which leave room for a row of b and one number
// of a (and for a product where there is no fused multiply-add).
inline constexpr int tile_rows = registers >= 32 ? 8 : 4;
inline constexpr int tile_packets = registers >= 32 || has_fma ? 3 : 2;

template <class Scalar>
class Panels {
 public:
  explicit Panels(Index columns)
      : columns_(columns),
        packets_((columns + width<Scalar> - 1) / width<Scalar>),
        count_((packets_ + tile_packets - 1) / tile_packets) {}

  Index count() const { return count_; }
  // Of panel p: its packets, its first column, and how many columns of b it holds.
  int packets(Index p) const {
    return static_cast<int>(packets_ / count_ + (p < packets_ % count_ ? 1 : 0));
  }
  Index first(Index p) const {
    return (p * (packets_ / count_) + (std::min)(p, packets_ % count_)) * width<Scalar>;
  }
  Index columns(Index p) const {
    return (std::min)(columns_ - first(p), packets(p) * width<Scalar>);
  }
  // Numbers per k over all panels, padding included.
  Index padded() const { return packets_ * width<Scalar>; }

 private:
  Index columns_;
  Index packets_;
  Index count_;
};

// Packs b[first_k ... first_k + depth, column ... column + columns] of a row-major b [K, ·]; `b`
// points at the first of them.
template <int Packets, class Scalar>
void pack_rows(const Scalar* b, Index stride, Index depth, Index columns, Scalar* panel) {
  constexpr Index w = width<Scalar>;
  const Index last = columns - (Packets - 1) * w;
  for (Index k = 0; k < depth; ++k, b += stride, panel += Packets * w)
#pragma GCC unroll 3
    for (int v = 0; v < Packets; ++v)
      store(panel + v * w,
            v + 1 < Packets || last == w ? load(b + v * w) : load_part(b + v * w, last));
}
template <class Scalar>
void pack_rows(const Scalar* b, Index stride, Index depth, Index columns, int packets,
               Scalar* panel) {
  switch (packets) {
    case 1:
      return pack_rows<1>(b, stride, depth, columns, panel);
    case 2:
      return pack_rows<2>(b, stride, depth, columns, panel);
    default:
      return pack_rows<3>(b, stride, depth, columns, panel);
  }
}

// Packs the same of bᵀ, given row-major: panel[k * w + j] = bᵀ[j, k]. `bt` points at bᵀ[first
// column, first k]. Blocks of packet x packet are transposed in registers.
template <class Scalar>
void pack_transposed(const Scalar* bt, Index stride, Index depth, Index columns, int packets,
                     Scalar* panel) {
  constexpr Index p = width<Scalar>;
  const Index w = packets * p;
  const Index blocks = depth / p * p;
  for (Index k = 0; k < blocks; k += p)
    for (int v = 0; v < packets && (v + 1) * p <= columns; ++v) {
      const Scalar* rows = bt + v * p * stride + k;
      Scalar* to = panel + k * w + v * p;
      Packet<Scalar> block[std::size_t{p}];
      for (Index j = 0; j < p; ++j) {
        prefetch(rows + j * stride + p);
        prefetch_to_write(to + (p + j) * w);
        block[j] = load(rows + j * stride);
      }
      transpose<Scalar>(block);
      for (Index j = 0; j < p; ++j) store(to + j * w, block[j]);
    }
  // What no block covers: the last of k, and a packet that is there in part.
  for (int v = 0; v < packets; ++v) {
    const Scalar* rows = bt + v * p * stride;
    const Index valid = std::clamp(columns - v * p, Index{0}, p);
    for (Index k = valid == p ? blocks : 0; k < depth; ++k)
      for (Index j = 0; j < p; ++j)
        panel[k * w + v * p + j] = j < valid ? rows[j * stride + k] : Scalar(0);
  }
}

}  // namespace plait::simd::PLAIT_SET

namespace plait::kernels::PLAIT_SET {

template <class Scalar>
Index packed_size(Index outputs, Index inputs) {
  return simd::Panels<Scalar>(outputs).padded() * inputs;
}

template <class Scalar>
void pack_weight(MatrixMap<const Scalar> weight, Scalar* panels) {
  const simd::Panels<Scalar> layout(weight.rows());
  for (Index p = 0; p < layout.count(); ++p) {
    const Index first = layout.first(p);
    simd::pack_transposed(weight.data() + first * weight.outerStride(), weight.outerStride(),
                          weight.cols(), layout.columns(p), layout.packets(p),
                          panels + first * weight.cols());
  }
}

}  // namespace plait::kernels::PLAIT_SET
