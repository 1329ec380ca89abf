// Lookups: the vectors of a table's rows that a batch's bags name, summed or averaged.
//
//   y_b = c Σ_{i in bag b} w_i e_{id_i}     c = 1, or 1 / size of the bag for a mean
//
// in the order of the ids, from zero; a bag without ids is zeros (torch.nn.EmbeddingBag). Ids
// beyond the table, and those that have no row of a growing one, name its first row.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/packet.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/embedding_layout.hpp"
#include "plait/sparse/id_map.hpp"

namespace plait::kernels {

// The bags of one feature of some rows of a batch.
struct Bags {
  const std::uint64_t* ids = nullptr;     // of the whole batch
  const std::int64_t* offsets = nullptr;  // of the first row; null: ids begin with its only one
  const float* weights = nullptr;         // beside ids; null: all 1
  std::uint64_t table_rows = 0;
  bool mean = false;
};

// How a table's rows lie in memory: as they are, [rows, dim], or
template <class Scalar>
struct FullRows {
  const Scalar* data = nullptr;
};
// in 8 bits: dim numbers q, then two floats, scale and bias; a number is scale q + bias (FBGEMM's
// layout, that of torch.ops.quantized.embedding_bag_byte).
struct ByteRows {
  const std::uint8_t* data = nullptr;
};

// Those of a growing table, which has its ids' rows.
template <class Rows>
struct GrowingRows : Rows {
  const IdMap* ids = nullptr;
};

constexpr Index bytes_of_byte_row(Index dim) { return dim + 2 * Index{sizeof(float)}; }

}  // namespace plait::kernels

#define PLAIT_EACH_SET "plait/sparse/each_set/lookup.inl"
#include "plait/kernels/each_set.hpp"

namespace plait::kernels {

// y [rows, dim], `y_stride` numbers from row to row.
template <class Rows, class Scalar>
void lookup(const Rows& table, Index dim, const Bags& bags, Index rows, Scalar* y, Index y_stride) {
  PLAIT_RUN(instruction_set(), lookup(table, dim, bags, rows, y, y_stride));
}

// x [B, 1, width] = [dense | features' vectors]; rows_of(table) says where a table's rows are, and
// ids_of(table) which ids have them, null for a table that does not grow.
template <class Scalar, class RowsOf, class IdsOf>
void lookup(const EmbeddingLayout& layout, const FeatureBatch<Scalar>& batch, View3<Scalar> x,
            const RowsOf& rows_of, const IdsOf& ids_of) {
  PLAIT_ASSERT(x.batch() == batch.batch() && (x.shape() == Shape{1, layout.width()}));
  if (batch.batch() == 0) return;
  if (layout.num_dense() > 0) copy<Scalar>(batch.dense, x.columns(0, layout.num_dense()));
  for (Index f = 0; f < layout.num_features(); ++f) {
    const SparseFeature feature = batch.sparse.feature(f);
    const Index t = layout.table_of(f);
    const TableConfig& table = layout.table(t);
    const Bags bags{.ids = feature.ids.data(),
                    .offsets = feature.offsets.empty() ? nullptr : feature.offsets.data(),
                    .weights = feature.weights.empty() ? nullptr : feature.weights.data(),
                    .table_rows = static_cast<std::uint64_t>(table.rows),
                    .mean = layout.feature(f).pooling == Pooling::mean};
    const auto look_up = [&](const auto& rows) {
      lookup(rows, table.dim, bags, batch.batch(), x.data() + layout.first_column(f),
             x.batch_stride());
    };
    const auto rows = rows_of(t);
    if (const IdMap* ids = ids_of(t))
      look_up(GrowingRows<std::remove_const_t<decltype(rows)>>{rows, ids});
    else
      look_up(rows);
  }
}

#ifdef PLAIT_COMPILED
#define PLAIT_KERNELS(S)                                                              \
  PLAIT_KERNEL void lookup(const FullRows<S>&, Index, const Bags&, Index, S*, Index); \
  PLAIT_KERNEL void lookup(const GrowingRows<FullRows<S>>&, Index, const Bags&, Index, S*, Index);
PLAIT_KERNELS(float)
PLAIT_KERNELS(double)
PLAIT_KERNEL void lookup(const GrowingRows<ByteRows>&, Index, const Bags&, Index, float*, Index);
PLAIT_KERNEL void lookup(const ByteRows&, Index, const Bags&, Index, float*, Index);
#undef PLAIT_KERNELS
#endif

}  // namespace plait::kernels
