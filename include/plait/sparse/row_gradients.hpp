// The gradients of a table's rows in one batch: which rows were looked up, and where in the
// gradient of the network's input each of their gradients is.
//
//   dE_r = Σ over all features on the table, all bags b and all their ids i equal to r  c_i dY_b
//
// with c_i = w_i, 1, or 1/n_b, which dY has been multiplied by already. Ids are sorted by row and
// summed row by row, before anything is moved: a row that is named twice moves once, by its sum.
//
// The order of a sum is that of lanes (train/lanes.hpp), in a lane that of features and in a
// feature that of the batch: the same for any number of threads. Up to 64 gradients of one lane are
// added in Scalar, and these sums in double, so that what Scalar rounds away does not grow with the
// batch.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/kernels/packet.hpp"
#include "plait/sparse/embedding_config.hpp"
#include "plait/sparse/row_entries.hpp"

namespace plait::kernels {

// The sorted ids of one table, and the gradient that their places count in.
template <class Scalar>
struct RowGradients {
  const RowEntries* entries = nullptr;
  const Scalar* dx = nullptr;  // of the batch, from its first row's first column
  Index dim = 0;
};

}  // namespace plait::kernels

#define PLAIT_EACH_SET "plait/sparse/each_set/row_gradients.inl"
#include "plait/kernels/each_set.hpp"

namespace plait::kernels {

// Σ g² over the rows of a shard, in double.
template <class Scalar>
double squared_norm(const RowGradients<Scalar>& of, Index shard) {
  PLAIT_RUN(instruction_set(), squared_norm<Scalar>(of, shard));
}

#ifdef PLAIT_COMPILED
#define PLAIT_KERNELS(S) PLAIT_KERNEL double squared_norm(const RowGradients<S>&, Index);
PLAIT_KERNELS(float)
PLAIT_KERNELS(double)
#undef PLAIT_KERNELS
#endif

}  // namespace plait::kernels
