// Tensor: an owning, contiguous [batch, slot, dim] block. A value: copies copy the numbers.
#pragma once
#include <cstddef>

#include "plait/core/buffer.hpp"
#include "plait/core/config.hpp"
#include "plait/core/view.hpp"

namespace plait {

template <class Scalar>
class Tensor {
 public:
  Tensor() = default;
  // Filled with zeros.
  Tensor(Index batch, Index slots, Index dim) { resize(batch, slots, dim); }

  // Changes the shape. Allocates only when the block has never been that large, so that a tensor
  // reused for every row tile allocates once. The contents are unspecified afterwards.
  void resize(Index batch, Index slots, Index dim) {
    PLAIT_ASSERT(batch >= 0 && slots >= 0 && dim >= 0);
    const auto needed = static_cast<std::size_t>(slots * slot_major_stride<Scalar>(batch, dim));
    if (storage_.size() < needed) storage_.resize(needed);
    batch_ = batch;
    slots_ = slots;
    dim_ = dim;
  }

  Index batch() const { return batch_; }
  Index slots() const { return slots_; }
  Index dim() const { return dim_; }

  // Views of the block, valid until the tensor is resized or destroyed.
  View3<Scalar> view() { return {storage_.data(), batch_, slots_, dim_}; }
  View3<const Scalar> view() const { return {storage_.data(), batch_, slots_, dim_}; }
  // The same block with the numbers of one slot together, [slot, batch, dim] in memory (see
  // slot_major_stride): how states between layers lie, which are read and written slot by slot.
  View3<Scalar> slot_major() {
    return {storage_.data(), batch_, slots_, dim_, dim_, slot_major_stride<Scalar>(batch_, dim_)};
  }
  View3<const Scalar> slot_major() const {
    return {storage_.data(), batch_, slots_, dim_, dim_, slot_major_stride<Scalar>(batch_, dim_)};
  }
  operator View3<Scalar>() { return view(); }
  operator View3<const Scalar>() const { return view(); }

 private:
  AlignedVector<Scalar> storage_;
  Index batch_ = 0;
  Index slots_ = 0;
  Index dim_ = 0;
};

}  // namespace plait
