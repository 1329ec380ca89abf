// Counts the calls of operator new, aligned ones included, by this thread. The program that uses it
// compiles support/allocations.cpp.
#pragma once
#include <cstddef>

namespace support {

std::size_t allocations();

}  // namespace support
