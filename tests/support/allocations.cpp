#include "support/allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>
#ifdef _WIN32
#include <malloc.h>
#endif

#if defined(__GLIBC__) && !defined(PLAIT_TEST_SANITIZED)
#define COUNTS_MALLOC 1
#else
#define COUNTS_MALLOC 0
#endif

namespace {

using std::align_val_t, std::nothrow_t, std::size_t;

std::atomic<size_t> calls{0};
std::atomic<size_t> asked_for{0};
std::atomic<size_t> widest{0};

void note(size_t size) noexcept {
  ++calls;
  asked_for += size;
  size_t seen = widest;
  while (seen < size && !widest.compare_exchange_weak(seen, size)) {
  }
}

void* take(size_t size) noexcept {
#if !COUNTS_MALLOC
  note(size);
#endif
  return std::malloc(size == 0 ? 1 : size);
}
void* take(size_t size, align_val_t alignment) noexcept {
  note(size);
  const auto multiple = static_cast<size_t>(alignment);
#ifdef _WIN32
  return ::_aligned_malloc(size, multiple);
#else
  return std::aligned_alloc(multiple, (size + multiple - 1) / multiple * multiple);
#endif
}
void free_aligned(void* memory) noexcept {
#ifdef _WIN32
  ::_aligned_free(memory);
#else
  std::free(memory);
#endif
}
void* or_throw(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

size_t allocations::count() { return calls; }
size_t allocations::bytes() { return asked_for; }
size_t allocations::largest() { return widest; }
void allocations::forget_largest() { widest = 0; }

#if COUNTS_MALLOC
extern "C" void* __libc_malloc(size_t size);
extern "C" void* malloc(size_t size) noexcept {
  note(size);
  return __libc_malloc(size);
}
#endif

// Every form: those of the sanitizers do not forward to the plain ones, as the standard's do.
void* operator new(size_t n) { return or_throw(take(n)); }
void* operator new[](size_t n) { return or_throw(take(n)); }
void* operator new(size_t n, align_val_t a) { return or_throw(take(n, a)); }
void* operator new[](size_t n, align_val_t a) { return or_throw(take(n, a)); }
void* operator new(size_t n, const nothrow_t&) noexcept { return take(n); }
void* operator new[](size_t n, const nothrow_t&) noexcept { return take(n); }
void* operator new(size_t n, align_val_t a, const nothrow_t&) noexcept { return take(n, a); }
void* operator new[](size_t n, align_val_t a, const nothrow_t&) noexcept { return take(n, a); }

void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, align_val_t) noexcept { free_aligned(p); }
void operator delete[](void* p, align_val_t) noexcept { free_aligned(p); }
void operator delete(void* p, size_t, align_val_t) noexcept { free_aligned(p); }
void operator delete[](void* p, size_t, align_val_t) noexcept { free_aligned(p); }
void operator delete(void* p, const nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p, align_val_t, const nothrow_t&) noexcept { free_aligned(p); }
void operator delete[](void* p, align_val_t, const nothrow_t&) noexcept { free_aligned(p); }
