namespace plait::simd::PLAIT_SET {

using simd::Finish;
using simd::Left;
using simd::Panel;
using simd::Start;

// v < 0 ? 0 : v, and NaN for NaN.
template <class Scalar>
PLAIT_INLINE inline Packet<Scalar> relu(const Packet<Scalar>& v) {
  return larger(v, broadcast(Scalar(0)));
}

// What a tile adds, of a row of a and packets of b: here the products of their numbers. Where a
// lane of b is something else (bf16.hpp), `parts` packets are made of one, which `take` does and a
// product that `keeps` writes down, and a row's numbers are found by `add`.
struct Numbers {
  static constexpr int parts = 1;
  static constexpr bool keeps = false;

  template <int Packets, class P>
  PLAIT_INLINE static void take(const P& lanes, int v, P (&b)[std::size_t{Packets}]) {
    b[v] = lanes;
  }
  // sum[v] += a(m, k) b[v]
  template <int Packets, class A, class P>
  PLAIT_INLINE static void add(const A& a, Index m, Index k, const P (&b)[std::size_t{Packets}],
                               P (&sum)[std::size_t{Packets}]) {
    const P number = broadcast(a(m, k));
#pragma GCC unroll 3
    for (int v = 0; v < Packets; ++v) sum[v] = fma(number, b[v], sum[v]);
  }
};

// One tile: c [Rows, Packets packets] = start + a b. The largest asks for `ahead`, a packet for
// every k, as far apart as the panel's, that later tiles will read; smaller ones do too little with
// a row of b to wait for it, and ask for what they read next themselves.
template <class Product, int Rows, int Packets, class Scalar, bool Transposed>
PLAIT_NOINLINE void multiply_tile(Index depth, Left<Scalar, Transposed> a, Panel<Scalar> panel,
                                  const Scalar* ahead, Start<Scalar> start, Finish finish,
                                  Scalar* c, Index c_stride) {
  constexpr Index w = width<Scalar>;
  Packet<Scalar> sum[std::size_t{Rows}][std::size_t{Packets}];
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m, start.row += start.stride)
#pragma GCC unroll 3
    for (int v = 0; v < Packets; ++v) sum[m][v] = load(start.row + v * w);
  for (Index k = 0; k < depth; ++k, panel.data += panel.stride, ahead += panel.stride) {
    if constexpr (Rows == tile_rows) prefetch(ahead);
    Packet<Scalar> b[std::size_t{Packets * Product::parts}];
#pragma GCC unroll 3
    for (int v = 0; v < Packets; ++v) {
      if constexpr (Rows < tile_rows) prefetch(panel.data + 12 * panel.stride + v * w);
      Product::template take<Packets>(load(panel.data + v * w), v, b);
    }
    if constexpr (Product::keeps)
#pragma GCC unroll 6
      for (const Packet<Scalar>& made : b) {
        store(panel.made, made);
        panel.made += w;
      }
    if constexpr (Rows > 1)
#pragma GCC unroll 6
      for (int v = 0; v < Packets * Product::parts; ++v) keep_in_register(b[v]);
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) Product::template add<Packets>(a, m, k, b, sum[m]);
  }
  if (finish == Finish::relu)
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 3
      for (int v = 0; v < Packets; ++v) sum[m][v] = relu<Scalar>(sum[m][v]);
  if (finish == Finish::add)
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 3
      for (int v = 0; v < Packets; ++v) sum[m][v] = load(c + m * c_stride + v * w) + sum[m][v];
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m, c += c_stride)
#pragma GCC unroll 3
    for (int v = 0; v < Packets; ++v) store(c + v * w, sum[m][v]);
}

// Asks for a tile of c that will be added to, while the one before it is computed.
template <int Rows, class Scalar>
void prefetch_tile(const Scalar* c, Index c_stride, Index columns) {
  constexpr Index line = Index{64} / Index{sizeof(Scalar)};
  for (int m = 0; m < Rows; ++m)
    for (Index n = 0; n < columns; n += line) prefetch(c + m * c_stride + n);
}

// c [rows, columns] = from.
template <class Scalar>
void copy_rows(Index rows, Index columns, const Scalar* from, Index from_stride, Scalar* to,
               Index to_stride) {
  for (Index m = 0; m < rows; ++m) std::copy_n(from + m * from_stride, columns, to + m * to_stride);
}

// One panel of c, whole packets, for all rows. Where there are tiles enough, each of the first asks
// for a packet of the next panel for every k: its lines are too far apart, or too few, for hardware
// to do it in time. A part of them would only disturb hardware in what it does.
template <class Product, int Packets, class Scalar, bool Transposed>
void multiply_whole_panel(Index rows, Index depth, Left<Scalar, Transposed> a, Panel<Scalar> panel,
                          Start<Scalar> start, Finish finish, Scalar* c, Index c_stride) {
  const bool adds = finish == Finish::add || start.row == c;
  const bool asks = panel.next != nullptr && rows >= Packets * tile_rows;
  Index m = 0;
  const auto tiles = [&]<int Rows>() PLAIT_INLINE {
    for (; m + Rows <= rows; m += Rows) {
      if (adds) prefetch_tile<Rows>(c + Rows * c_stride, c_stride, Packets * width<Scalar>);
      const Index tile = m / Rows;
      const Scalar* ahead = panel.data;
      if (asks && tile < Packets) ahead = panel.next + tile * width<Scalar>;
      multiply_tile<Product, Rows, Packets>(depth, a.from(m, 0), panel, ahead, start, finish, c,
                                            c_stride);
      start.row += Rows * start.stride;
      c += Rows * c_stride;
    }
  };
  if constexpr (tile_rows == 8) tiles.template operator()<8>();
  tiles.template operator()<4>();
  tiles.template operator()<2>();
  tiles.template operator()<1>();
}

// One panel of c for all rows, `columns` numbers wide, the last of its packets perhaps in part:
// then tiles write to a room of whole packets on the stack.
template <class Product, int Packets, class Scalar, bool Transposed>
void multiply_panel(Index rows, Index depth, Left<Scalar, Transposed> a, Panel<Scalar> panel,
                    Start<Scalar> start, Finish finish, Scalar* c, Index c_stride, Index columns) {
  constexpr Index whole = Packets * width<Scalar>;
  alignas(buffer_alignment) Scalar row[std::size_t{whole}];
  if (start.row == nullptr || (start.stride == 0 && columns < whole)) {
    std::fill_n(row, whole, Scalar(0));
    if (start.row != nullptr) std::copy_n(start.row, columns, row);
    start = {row, 0};
  }
  if (columns == whole)
    return multiply_whole_panel<Product, Packets>(rows, depth, a, panel, start, finish, c,
                                                  c_stride);
  alignas(buffer_alignment) Scalar room[std::size_t{tile_rows * whole}] = {};
  for (Index m = 0; m < rows; m += tile_rows) {
    const Index count = std::min<Index>(tile_rows, rows - m);
    const bool copies = start.stride != 0;
    if (copies) copy_rows(count, columns, start.row + m * start.stride, start.stride, room, whole);
    if (finish == Finish::add) copy_rows(count, columns, c + m * c_stride, c_stride, room, whole);
    multiply_whole_panel<Product, Packets>(count, depth, a.from(m, 0), panel,
                                           copies ? Start<Scalar>{room, whole} : start, finish,
                                           room, whole);
    copy_rows(count, columns, room, whole, c + m * c_stride, c_stride);
  }
}

template <class Product, class Scalar, bool Transposed>
void multiply_panel(int packets, Index rows, Index depth, Left<Scalar, Transposed> a,
                    Panel<Scalar> panel, Start<Scalar> start, Finish finish, Scalar* c,
                    Index c_stride, Index columns) {
  switch (packets) {
    case 1:
      return multiply_panel<Product, 1>(rows, depth, a, panel, start, finish, c, c_stride, columns);
    case 2:
      return multiply_panel<Product, 2>(rows, depth, a, panel, start, finish, c, c_stride, columns);
    default:
      if constexpr (tile_packets == 3)
        return multiply_panel<Product, 3>(rows, depth, a, panel, start, finish, c, c_stride,
                                          columns);
  }
}

// One row of c over `Panels` panels at a time. A single row has one chain of sums per packet, too
// few in one panel to hide their latency behind: what a row takes is then the time to read b.
template <class Product, int Packets, int Panels, class Scalar>
void multiply_row(Index depth, Left<Scalar, false> a, const Scalar* panels, Index panel_size,
                  Start<Scalar> start, Finish finish, Scalar* c) {
  constexpr Index w = width<Scalar>;
  Packet<Scalar> sum[std::size_t{Panels}][std::size_t{Packets}];
#pragma GCC unroll 4
  for (int p = 0; p < Panels; ++p)
#pragma GCC unroll 3
    for (int v = 0; v < Packets; ++v)
      sum[p][v] =
          start.row == nullptr ? broadcast(Scalar(0)) : load(start.row + (p * Packets + v) * w);
  for (Index k = 0; k < depth; ++k) {
#pragma GCC unroll 4
    for (int p = 0; p < Panels; ++p) {
      Packet<Scalar> lanes[std::size_t{Packets * Product::parts}];
#pragma GCC unroll 3
      for (int v = 0; v < Packets; ++v) {
        const Scalar* b = panels + p * panel_size + (k * Packets + v) * w;
        prefetch_ahead<1536>(b);
        Product::template take<Packets>(load(b), v, lanes);
      }
      Product::template add<Packets>(a, 0, k, lanes, sum[p]);
    }
  }
#pragma GCC unroll 4
  for (int p = 0; p < Panels; ++p)
#pragma GCC unroll 3
    for (int v = 0; v < Packets; ++v)
      store(c + (p * Packets + v) * w,
            finish == Finish::relu ? relu<Scalar>(sum[p][v]) : sum[p][v]);
}

// The product with b packed before, `depth` of its rows from `first` on of `whole` that the panels
// have: panel p begins at panels + first(p) * whole.
template <class Product, class Scalar>
void multiply_packed(Index rows, Index columns, Index depth, Left<Scalar, false> a,
                     const Scalar* panels, Index whole, Index first, Start<Scalar> start,
                     Finish finish, Scalar* c, Index c_stride) {
  PLAIT_ASSERT(finish != Finish::add);
  const Panels<Scalar> layout(columns);
  for (Index p = 0; p < layout.count();) {
    const Index n = layout.first(p);
    const int packets = layout.packets(p);
    const Index stride = packets * width<Scalar>;
    const Scalar* panel = panels + n * whole + first * stride;
    const Start<Scalar> from{start.row == nullptr ? nullptr : start.row + n, start.stride};
    const auto row_of = [&]<int Packets, int Together>() PLAIT_INLINE {
      const Index last = p + Together - 1;
      if (rows != 1 || packets != Packets || last >= layout.count() ||
          layout.columns(last) != Packets * width<Scalar>)
        return false;
      multiply_row<Product, Packets, Together>(depth, a, panel, stride * whole, from, finish,
                                               c + n);
      p += Together;
      return true;
    };
    if (row_of.template operator()<tile_packets, 4>()) continue;
    if (row_of.template operator()<tile_packets, 2>()) continue;
    if (tile_packets != 2 && row_of.template operator()<2, 2>()) continue;
    multiply_panel<Product>(packets, rows, depth, a, {panel, stride, panel + stride * whole}, from,
                            finish, c + n, c_stride, layout.columns(p));
    ++p;
  }
}

// The product panel by panel, each in pieces of up to panel_depth: panel_at(k, p, depth, room)
// gives the piece of panel p from k on, perhaps packed into `room`. Finish::add starts at zero and
// is for one piece: of several, all but the first would start at c.
template <class Scalar, bool Transposed, class PanelAt>
void multiply(Index rows, Index columns, Index depth, Left<Scalar, Transposed> a,
              const PanelAt& panel_at, Start<Scalar> start, Finish finish, Scalar* c,
              Index c_stride) {
  PLAIT_ASSERT(finish != Finish::add || (start.row == nullptr && depth <= panel_depth));
  alignas(buffer_alignment) Scalar room[panel_depth * tile_packets * width<Scalar>];
  const Panels<Scalar> layout(columns);
  for (Index p = 0; p < layout.count(); ++p) {
    const Index n = layout.first(p);
    for (Index k = 0; k == 0 || k < depth; k += panel_depth) {
      const Index count = (std::min)(panel_depth, depth - k);
      const Panel<Scalar> panel = panel_at(k, p, count, room);
      const Start<Scalar> from = k > 0 ? Start<Scalar>{c + n, c_stride}
                                 : start.row == nullptr
                                     ? Start<Scalar>{}
                                     : Start<Scalar>{start.row + n, start.stride};
      multiply_panel<Numbers>(layout.packets(p), rows, count, a.from(0, k), panel, from,
                              k + count == depth ? finish : Finish::none, c + n, c_stride,
                              layout.columns(p));
    }
  }
}

// So many rows of c pay for packing a panel that lies across cache lines, as a matrix does that
// malloc has placed.
inline constexpr Index rows_to_pack_for = 8 * tile_rows;

template <class Scalar>
bool is_aligned(const Scalar* b, Index stride) {
  constexpr std::uintptr_t bytes = PLAIT_SET_BYTES;
  return reinterpret_cast<std::uintptr_t>(b) % bytes == 0 &&
         static_cast<std::uintptr_t>(stride) * sizeof(Scalar) % bytes == 0;
}

// The product with b [K, N] row-major. Packed are panels that are not whole, and those that lie
// badly.
template <class Scalar, bool Transposed>
void multiply_rows(Index rows, Index columns, Index depth, Left<Scalar, Transposed> a,
                   const Scalar* b, Index b_stride, Start<Scalar> start, Finish finish, Scalar* c,
                   Index c_stride) {
  const Panels<Scalar> layout(columns);
  const auto panel_at = [&](Index k, Index p, Index count, Scalar* room)
                            PLAIT_INLINE -> Panel<Scalar> {
    const Scalar* from = b + k * b_stride + layout.first(p);
    const Index whole = layout.packets(p) * width<Scalar>;
    const bool lies_well = rows < rows_to_pack_for || is_aligned(from, b_stride);
    if (layout.columns(p) == whole && lies_well) return {from, b_stride, from + whole};
    pack_rows(from, b_stride, count, layout.columns(p), layout.packets(p), room);
    return {room, whole};
  };
  multiply(rows, columns, depth, a, panel_at, start, finish, c, c_stride);
}

// The product with b given transposed, bᵀ [N, K] row-major.
template <class Scalar, bool Transposed>
void multiply_transposed(Index rows, Index columns, Index depth, Left<Scalar, Transposed> a,
                         const Scalar* bt, Index bt_stride, Start<Scalar> start, Finish finish,
                         Scalar* c, Index c_stride) {
  const Panels<Scalar> layout(columns);
  const auto panel_at = [&](Index k, Index p, Index count, Scalar* room)
                            PLAIT_INLINE -> Panel<Scalar> {
    pack_transposed(bt + layout.first(p) * bt_stride + k, bt_stride, count, layout.columns(p),
                    layout.packets(p), room);
    return {room, layout.packets(p) * width<Scalar>};
  };
  multiply(rows, columns, depth, a, panel_at, start, finish, c, c_stride);
}

}  // namespace plait::simd::PLAIT_SET
