// Rows of comma-separated numbers.
#pragma once
#include <istream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"

namespace scoring {

using plait::Index;

// what() names the file, the line and the column.
class DataError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class RowReader {
 public:
  // `name` stands for the stream in errors.
  RowReader(std::istream& stream, std::string name, Index columns)
      : stream_(stream), name_(std::move(name)), columns_(columns) {}

  // Appends up to `count` rows to `numbers` and returns how many there were; 0 at the end. Empty
  // lines are skipped. Throws DataError for a line that does not hold one finite number per column.
  Index read(Index count, std::vector<float>& numbers);

 private:
  void parse(const std::string& line, std::vector<float>& numbers) const;

  std::istream& stream_;
  std::string name_;
  Index columns_;
  Index line_ = 0;
};

}  // namespace scoring
