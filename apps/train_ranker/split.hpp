// Which rows train, which validate and which test.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dataset.hpp"
#include "plait/features/raw_value.hpp"

namespace ranker {

enum class Part { train, validation, test };

std::vector<Index>& rows_of(Dataset& data, Part part);

// "train", "validation" or "test". Throws plait::ColumnError, of this column, for anything else.
Part part_of(const plait::RawValue& value, const std::string& column);

// Eight of ten rows train, one validates and one tests, by a hash of the row's values in the order
// of the columns' names: neither the order of rows nor that of columns changes a row's part, and
// equal rows are in the same one.
class HashSplit {
 public:
  explicit HashSplit(std::span<const std::string> columns);

  Part part_of(plait::RawRow row);

 private:
  std::vector<std::size_t> order_;
  std::string text_;
};

}  // namespace ranker
