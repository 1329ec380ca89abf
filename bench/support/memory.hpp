// What the system says of this process's memory.
#pragma once
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>

namespace bench {

// A field of /proc/self/status, in bytes.
inline double memory(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word != field + ":") {
      status.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
      continue;
    }
    double kilobytes = 0;
    status >> kilobytes;
    return kilobytes * 1024;
  }
  throw std::runtime_error("/proc/self/status has no " + field);
}

}  // namespace bench
