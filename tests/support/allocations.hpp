// Counts allocations of the whole program, those of operator new and, with glibc, of malloc, which
// Eigen uses; link support/allocations.cpp to use it. Sanitizers bring their own malloc: under them
// operator new alone is counted.
#pragma once
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PLAIT_TEST_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define PLAIT_TEST_SANITIZED
#endif
#endif

namespace allocations {

// Calls, and bytes asked for, since the program started, on all threads.
std::size_t count();
std::size_t bytes();

// Bytes of the largest single one since the last forget_largest().
std::size_t largest();
void forget_largest();

}  // namespace allocations
