// Where the columns that features read are in the rows of a file or of a request: found once, by
// name, so that rows are read by position.
#pragma once
#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/features/feature.hpp"
#include "plait/features/raw_value.hpp"

namespace plait {

// The columns that the features read, each once, in the order in which they first occur.
PLAIT_COLD inline std::vector<std::string> columns_of(const EncoderConfig& config) {
  std::vector<std::string> columns;
  std::set<std::string> seen;
  for (const Feature& feature : config.features)
    for (std::string& column : columns_of(feature))
      if (seen.insert(column).second) columns.push_back(std::move(column));
  return columns;
}

namespace detail {

// Where the names are; every one of them once.
using Positions = std::map<std::string_view, std::size_t>;
PLAIT_COLD inline Positions positions_of(std::span<const std::string> names) {
  Positions positions;
  for (std::size_t i = 0; i < names.size(); ++i) positions.try_emplace(names[i], i);
  return positions;
}

}  // namespace detail

// What becomes of a column that rows do not have: it is refused, or missing from all of them (of a
// request that leaves out what it does not know).
enum class Absent { refused, missing };

// A value, for any number of threads.
class ColumnLayout {
 public:
  // Of `wanted` in rows of these columns. Throws ConfigError for a wanted column that is there
  // twice, or not at all unless that may be.
  PLAIT_COLD ColumnLayout(std::span<const std::string> wanted, std::span<const std::string> columns,
                          Absent absent = Absent::refused)
      : width_(columns.size()) {
    const detail::Positions positions = detail::positions_of(columns);
    std::set<std::string_view> twice;
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (positions.at(columns[i]) != i) twice.insert(columns[i]);
    for (const std::string& name : wanted) {
      require_config(!twice.contains(name), "ColumnLayout", "columns", in_quotes(name) + " twice",
                     "it once");
      const auto found = positions.find(name);
      require_config(found != positions.end() || absent == Absent::missing, "ColumnLayout",
                     "columns", "no " + in_quotes(name), "it");
      positions_.push_back(found == positions.end() ? nowhere : found->second);
    }
  }

  // Of the rows.
  std::size_t width() const { return width_; }
  // Wanted columns.
  std::size_t size() const { return positions_.size(); }
  // Of a wanted column. The row has width() values.
  RawValue value(RawRow row, std::size_t wanted) const {
    const std::size_t position = positions_[wanted];
    return position == nowhere ? RawValue() : row[position];
  }

 private:
  static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

  std::size_t width_;
  std::vector<std::size_t> positions_;
};

}  // namespace plait
