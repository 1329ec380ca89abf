// What ends the program with one line on stderr and exit code 2.
#pragma once
#include <stdexcept>

namespace ranker {

// Data that cannot be read; what() names the file and, where there is one, the line and the column.
class DataError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A command line that cannot be obeyed; what() names the option.
class UsageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A run that its own numbers end, by NaN or infinity; what() begins with the epoch. Ends that run
// alone, and the program with exit code 1.
class RunError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace ranker
