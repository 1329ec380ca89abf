// ServingTables: tables that do not change any more, shared by all who serve. Rows are those of
// EmbeddingTables, or in 8 bits, a quarter of the memory:
//
//   lo = min_d x_d, hi = max_d x_d, scale = (hi - lo) / 255, bias = lo
//   q_d = round((x_d - lo) 255 / (hi - lo + 1e-8)),   x_d ≈ scale q_d + bias
//
// within (hi - lo) / 510 and rounding (row-wise 8-bit quantisation of FBGEMM,
// torch.ops.quantized.embedding_bag_byte_prepack).
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/embedding_layout.hpp"
#include "plait/sparse/embedding_tables.hpp"
#include "plait/sparse/id_map.hpp"
#include "plait/sparse/large_array.hpp"
#include "plait/sparse/lookup.hpp"

namespace plait {

// A row [dim] in 8 bits, to [bytes_of_byte_row(dim)].
PLAIT_COLD inline void quantise_row(std::span<const float> row, std::uint8_t* to) {
  const auto [low, high] = std::ranges::minmax(row);
  const float range = high - low;
  const float scale_and_bias[2] = {range / 255, low};
  const float per_number = 255 / (range + 1e-8F);
  for (const float number : row)
    *to++ = static_cast<std::uint8_t>(std::lrint((number - low) * per_number));
  std::memcpy(to, scale_and_bias, sizeof(scale_and_bias));
}

// A value whose copies share the rows. For any number of threads.
template <class Scalar_>
class ServingTables {
 public:
  using Scalar = Scalar_;

  // The rows of tables, which must not change meanwhile.
  explicit ServingTables(std::shared_ptr<const EmbeddingTables<Scalar>> tables)
      : layout_(tables->layout()) {
    for (Index t = 0; t < layout_.num_tables(); ++t) {
      rows_.push_back({tables->values(t).data()});
      ids_.push_back(tables->ids(t));
    }
    owner_ = std::move(tables);
  }
  // A copy in 8 bits, rows of `dim` numbers in dim + 8 bytes.
  PLAIT_COLD static ServingTables quantised(
      const EmbeddingTables<Scalar>& tables) requires std::same_as<Scalar, float>;

  const EmbeddingLayout& layout() const { return layout_; }
  bool is_quantised() const { return !byte_rows_.empty(); }
  // Bytes of all rows.
  std::size_t bytes() const;

  // x [B, 1, layout.width()], where `layout` is layout() or one of its parts, and the batch fits it
  // but for ids beyond a table, which name its first row. Allocates nothing.
  void lookup(const EmbeddingLayout& layout, const FeatureBatch<Scalar>& batch,
              View3<Scalar> x) const {
    const auto ids_of = [&](Index table) { return ids_[static_cast<std::size_t>(table)]; };
    if constexpr (std::same_as<Scalar, float>)
      if (is_quantised())
        return kernels::lookup(
            layout, batch, x,
            [&](Index table) { return byte_rows_[static_cast<std::size_t>(table)]; }, ids_of);
    kernels::lookup(
        layout, batch, x, [&](Index table) { return rows_[static_cast<std::size_t>(table)]; },
        ids_of);
  }

 private:
  explicit ServingTables(EmbeddingLayout layout) : layout_(std::move(layout)) {}

  EmbeddingLayout layout_;
  std::vector<kernels::FullRows<Scalar>> rows_;  // [tables], or
  std::vector<kernels::ByteRows> byte_rows_;     // [tables]
  std::vector<const IdMap*> ids_;                // [tables], null for a fixed one
  std::shared_ptr<const void> owner_;
};

template <class Scalar>
ServingTables<Scalar> ServingTables<Scalar>::quantised(
    const EmbeddingTables<Scalar>& tables) requires std::same_as<Scalar, float> {
  ServingTables result(tables.layout());
  struct Owned {
    std::vector<LargeArray<std::uint8_t>> rows;
    std::deque<IdMap> ids;  // of the tables that grow
  };
  auto owned = std::make_shared<Owned>();
  for (Index t = 0; t < tables.num_tables(); ++t) {
    const TableConfig& table = tables.layout().table(t);
    const auto bytes = static_cast<std::size_t>(kernels::bytes_of_byte_row(table.dim));
    LargeArray<std::uint8_t> packed(static_cast<std::size_t>(table.rows), bytes);
    if constexpr (std::same_as<Scalar, float>)  // which is required, but clang 14 does not see it
      for (Index r = 0; r < table.rows; ++r)
        quantise_row(tables.row(t, r), packed.data() + static_cast<std::size_t>(r) * bytes);
    result.byte_rows_.push_back({packed.data()});
    owned->rows.push_back(std::move(packed));
    const IdMap* const ids = tables.ids(t);
    result.ids_.push_back(ids == nullptr ? nullptr : &owned->ids.emplace_back(ids->clone()));
  }
  result.owner_ = std::move(owned);
  return result;
}

template <class Scalar>
std::size_t ServingTables<Scalar>::bytes() const {
  std::size_t sum = 0;
  for (const TableConfig& table : layout_.config().tables)
    sum += static_cast<std::size_t>(table.rows) *
           (is_quantised() ? static_cast<std::size_t>(kernels::bytes_of_byte_row(table.dim))
                           : static_cast<std::size_t>(table.dim) * sizeof(Scalar));
  return sum;
}

#ifdef PLAIT_COMPILED
extern template class ServingTables<float>;
extern template class ServingTables<double>;
#endif

}  // namespace plait
