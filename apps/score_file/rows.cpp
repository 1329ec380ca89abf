#include "rows.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"

namespace scoring {

Index RowReader::read(Index count, std::vector<float>& numbers) {
  Index rows = 0;
  for (std::string line; rows < count && std::getline(stream_, line);) {
    if (line_++ == 0 && line.starts_with(plait::byte_order_mark))
      line.erase(0, plait::byte_order_mark.size());
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    parse(line, numbers);
    ++rows;
  }
  if (stream_.bad()) throw DataError(name_ + ": cannot be read");
  return rows;
}

void RowReader::parse(const std::string& line, std::vector<float>& numbers) const {
  const std::string place = plait::text(name_, ":", line_, ": ");
  Index column = 0;
  for (std::size_t begin = 0; begin <= line.size(); ++column) {
    const std::size_t end = std::min(line.find(',', begin), line.size());
    const std::string_view field = std::string_view(line).substr(begin, end - begin);
    const std::size_t first = std::min(field.find_first_not_of(" \t"), field.size());
    const std::size_t last = field.find_last_not_of(" \t") + 1;  // 0 if there is none
    const auto number = first < last
                            ? plait::parse_csv_number<float>(field.substr(first, last - first))
                            : std::nullopt;
    if (!number)
      throw DataError(plait::text(place, "column ", column + 1, ": got ", plait::in_quotes(field),
                                  ", expected a number"));
    numbers.push_back(*number);
    begin = end + 1;
  }
  if (column != columns_)
    throw DataError(plait::text(place, "got ", column, " columns, expected ", columns_));
}

}  // namespace scoring
