// Replaces the global operator new by one that counts. Include it in one file of a program.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

inline std::atomic<long> new_calls = 0;

namespace detail {
inline void* counted(void* memory) {
  ++new_calls;
  if (!memory) throw std::bad_alloc();
  return memory;
}
}  // namespace detail

// Not inlined: GCC would otherwise see free() meet new and warn of a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return detail::counted(std::malloc(size ? size : 1));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  const auto unit = static_cast<std::size_t>(alignment);
  return detail::counted(std::aligned_alloc(unit, (size + unit) / unit * unit));
}
// AddressSanitizer has its own; elsewhere it would call the first one.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++new_calls;
  return std::malloc(size ? size : 1);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
