// Counts calls of operator new in the whole program; link support/allocations.cpp to use it.
// Memory that Eigen or C code takes with malloc is not counted.
#pragma once
#include <cstddef>

namespace allocations {

// Calls, and bytes asked for, since the program started, on all threads.
std::size_t count();

// Bytes of the largest single one since the last forget_largest().
std::size_t largest();
void forget_largest();
std::size_t bytes();

}  // namespace allocations
