// Scratch: call-local memory as a stack of aligned blocks that grows on demand and never shrinks.
//
// A layer opens a Frame, takes what it needs and lets the frame give it back on return. Blocks
// never move, so views taken earlier stay valid while the arena grows. A later run of the same
// calls at the same or a smaller batch finds every request satisfied (next-fit places each smaller
// request no later than the larger one), so one warm-up call plans the arena for good. Not
// thread-safe: one per thread.
#pragma once
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "plait/core/buffer.hpp"
#include "plait/core/config.hpp"
#include "plait/core/view.hpp"

namespace plait {

class Scratch {
 public:
  // Gives back on destruction all that was taken since construction. Frames nest.
  class Frame {
   public:
    explicit Frame(Scratch& scratch)
        : scratch_(scratch), block_(scratch.block_), used_(scratch.used_) {}
    ~Frame() {
      scratch_.block_ = block_;
      scratch_.used_ = used_;
    }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Scratch& scratch_;
    std::size_t block_;
    std::size_t used_;
  };

  Scratch() = default;
  // A copy starts empty: scratch holds nothing that outlives a call.
  Scratch(const Scratch&) {}
  Scratch& operator=(const Scratch&) { return *this; }
  Scratch(Scratch&&) = default;
  Scratch& operator=(Scratch&&) = default;

  // An uninitialised contiguous [batch, slots, dim], valid until the enclosing Frame ends.
  template <class Scalar>
  View3<Scalar> take(Index batch, Index slots, Index dim) {
    const auto count = static_cast<std::size_t>(batch * slots * dim);
    return {reinterpret_cast<Scalar*>(take_bytes(count * sizeof(Scalar))), batch, slots, dim};
  }

  // Bytes held from the system.
  std::size_t capacity() const {
    std::size_t total = 0;
    for (const auto& block : blocks_) total += block.size();
    return total;
  }

  // True for a caller's first batch and for each that is larger than all of its before. For callers
  // that take by what the data say: they then take all that they ever may.
  bool is_largest(const void* caller, Index batch) {
    for (auto& [known, largest] : largest_)
      if (known == caller) return std::exchange(largest, (std::max)(largest, batch)) < batch;
    largest_.emplace_back(caller, batch);
    return true;
  }

  // The same with the numbers of one slot together, as Tensor::slot_major.
  template <class Scalar>
  View3<Scalar> take_slot_major(Index batch, Index slots, Index dim) {
    const Index stride = slot_major_stride<Scalar>(batch, dim);
    return {take<Scalar>(1, slots, stride).data(), batch, slots, dim, dim, stride};
  }

 private:
  std::byte* take_bytes(std::size_t bytes) {
    // Whole cache lines, at least one: a view of zero elements still has an address.
    bytes = (std::max)(bytes, std::size_t{1});
    bytes = (bytes + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
    while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].size()) {
      ++block_;
      used_ = 0;
    }
    if (block_ == blocks_.size())
      blocks_.emplace_back((std::max)({bytes, capacity(), std::size_t{1} << 16}));
    std::byte* result = blocks_[block_].data() + used_;
    used_ += bytes;
    return result;
  }

  std::vector<AlignedVector<std::byte>> blocks_;
  std::size_t block_ = 0;                               // where the next request is tried,
  std::size_t used_ = 0;                                // and the bytes of that block in use
  std::vector<std::pair<const void*, Index>> largest_;  // callers and their largest batches
};

}  // namespace plait
