#include "rows.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "plait/core/error.hpp"

namespace scoring {

Index RowReader::read(Index count, std::vector<float>& numbers) {
  Index rows = 0;
  for (std::string line; rows < count && std::getline(stream_, line);) {
    ++line_;
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
    const std::size_t first = std::min(line.find_first_not_of(" \t", begin), end);
    const char* const stop = line.data() + end;
    float value = 0;
    const auto [after, error] = std::from_chars(line.data() + first, stop, value);
    const std::size_t rest =
        line.find_first_not_of(" \t", static_cast<std::size_t>(after - line.data()));
    if (error != std::errc() || (rest != std::string::npos && rest < end) || !std::isfinite(value))
      throw DataError(plait::text(place, "column ", column + 1, ": got '",
                                  line.substr(begin, end - begin), "', expected a number"));
    numbers.push_back(value);
    begin = end + 1;
  }
  if (column != columns_)
    throw DataError(plait::text(place, "got ", column, " columns, expected ", columns_));
}

}  // namespace scoring
