#include "interface.hpp"

#include <charconv>
#include <numeric>
#include <string_view>
#include <system_error>

#include "errors.hpp"

namespace service {

std::vector<Index> parse_columns(const std::string& text) {
  constexpr Index most = 1 << 20;
  const auto refuse = [&] {
    throw UsageError("--user-columns: got '" + text + "', expected columns such as 0-31,40");
  };
  const auto number = [&](std::string_view digits) {
    Index value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < 0 || value >= most)
      refuse();
    return value;
  };
  std::vector<Index> columns;
  for (std::string_view rest = text; !rest.empty();) {
    const auto comma = rest.find(',');
    const std::string_view range = rest.substr(0, comma);
    const auto dash = range.find('-');
    const Index first = number(range.substr(0, dash));
    const Index last = dash == range.npos ? first : number(range.substr(dash + 1));
    if (last < first || comma + 1 == rest.size()) refuse();
    const auto count = static_cast<std::size_t>(last - first + 1);
    columns.resize(columns.size() + count);
    std::iota(columns.end() - static_cast<Index>(count), columns.end(), first);
    rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
  }
  return columns;
}

}  // namespace service
