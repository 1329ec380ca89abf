// Lookups: the vectors of a table's rows that a batch's bags name, summed or averaged.
//
//   y_b = c Σ_{i in bag b} w_i e_{id_i}     c = 1, or 1 / size of the bag for a mean
//
// in the order of the ids, from zero; a bag without ids is zeros (torch.nn.EmbeddingBag).
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "plait/core/config.hpp"
#include "plait/kernels/packet.hpp"

namespace plait::kernels {

// The bags of some rows of a batch, and the table that they look up. Ids are below its rows.
template <class Scalar>
struct Bags {
  const Scalar* table = nullptr;          // [rows, dim]
  Index dim = 0;                          //
  const std::uint64_t* ids = nullptr;     // of the whole batch
  const std::int64_t* offsets = nullptr;  // of the first row; null: ids begin with its only one
  const float* weights = nullptr;         // beside ids; null: all 1
  bool mean = false;
};

}  // namespace plait::kernels

#define PLAIT_EACH_SET "plait/sparse/each_set/lookup.inl"
#include "plait/kernels/each_set.hpp"

namespace plait::kernels {

// y [rows, dim], `y_stride` numbers from row to row.
template <class Scalar>
void lookup(const Bags<Scalar>& bags, Index rows, Scalar* y, Index y_stride) {
  PLAIT_RUN(instruction_set(), lookup<Scalar>(bags, rows, y, y_stride));
}

}  // namespace plait::kernels
