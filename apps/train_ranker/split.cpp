#include "split.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "plait/core/error.hpp"
#include "plait/core/hash.hpp"
#include "plait/features/column_error.hpp"

namespace ranker {

std::vector<Index>& rows_of(Dataset& data, Part part) {
  return part == Part::train ? data.train : part == Part::validation ? data.validation : data.test;
}

Part part_of(const plait::RawValue& value, const std::string& column) {
  if (value.text() == "train") return Part::train;
  if (value.text() == "validation") return Part::validation;
  if (value.text() == "test") return Part::test;
  throw plait::ColumnError(column, value.is_list() ? "a list" : plait::in_quotes(value.text()),
                           "train, validation or test");
}

HashSplit::HashSplit(std::span<const std::string> columns) : order_(columns.size()) {
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::ranges::sort(order_, {}, [&](std::size_t c) { return std::string_view(columns[c]); });
}

Part HashSplit::part_of(plait::RawRow row) {
  // Separators of units and of records, so that values cannot run into each other.
  text_.clear();
  for (const std::size_t c : order_) {
    text_ += row[c].text();
    for (const std::string_view item : row[c].list()) text_.append(item) += '\x1e';
    text_ += '\x1f';
  }
  const auto tenth = plait::in_range(plait::xxh64(text_), 10);
  return tenth < 8 ? Part::train : tenth == 8 ? Part::validation : Part::test;
}

}  // namespace ranker
