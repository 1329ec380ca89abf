#include "support/allocations.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local std::size_t count = 0;

void* take(std::size_t size, std::size_t alignment) {
  ++count;
  const std::size_t whole = (size / alignment + 1) * alignment;  // aligned_alloc: a multiple
  if (void* block = std::aligned_alloc(alignment, whole)) return block;
  throw std::bad_alloc();
}

}  // namespace

std::size_t support::allocations() { return count; }

// The other forms of new and delete call these.
void* operator new(std::size_t size) { return take(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return take(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
