// Storage shared by tensors, parameter buffers and scratch: a std::vector on cache-line boundaries,
// which makes every owner a plain value (rule of zero).
#pragma once
#include <cstddef>
#include <new>
#include <vector>

#include "plait/core/config.hpp"

namespace plait {

template <class T>
struct AlignedAllocator {
  using value_type = T;

  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) noexcept {}

  T* allocate(std::size_t n) {
    return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{buffer_alignment}));
  }
  void deallocate(T* p, std::size_t) noexcept {
    ::operator delete (p, std::align_val_t{buffer_alignment});
  }
  template <class U>
  bool operator==(const AlignedAllocator<U>&) const noexcept {
    return true;
  }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

// Numbers from one slot to the next in a block that lies slot by slot, [slot, batch, dim]: whole
// cache lines, an odd number of them. At distances that are powers of two a sample's numbers of all
// slots would compete for the same few places of the caches.
template <class Scalar>
constexpr Index slot_major_stride(Index batch, Index dim) {
  constexpr Index line = static_cast<Index>(buffer_alignment / sizeof(Scalar));
  return ((batch * dim + line - 1) / line | 1) * line;
}

}  // namespace plait
