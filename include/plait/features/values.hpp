// How a feature takes its texts from a raw row, the same way when it is fitted and when it encodes.
#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"
#include "plait/features/column_error.hpp"
#include "plait/features/column_layout.hpp"
#include "plait/features/feature.hpp"
#include "plait/features/raw_value.hpp"

namespace plait::detail {

// A row as features see it: texts that mean nothing are missing.
class RowValues {
 public:
  // Throws ShapeError for a row or a layout of another width.
  RowValues(RawRow row, const ColumnLayout& layout, std::size_t columns,
            std::span<const std::string> missing)
      : row_(row), layout_(layout), missing_(missing) {
    if (layout.size() != columns)
      throw ShapeError("FeatureEncoder", "layout", text(layout.size(), " columns"), text(columns));
    if (row.size() != layout.width())
      throw ShapeError("FeatureEncoder", "row", text(row.size(), " values"), text(layout.width()));
  }

  RawValue operator()(std::size_t column) const {
    const RawValue value = layout_.value(row_, column);
    if (!missing_.empty() && std::ranges::find(missing_, value.text()) != missing_.end()) return {};
    return value;
  }

 private:
  RawRow row_;
  const ColumnLayout& layout_;
  std::span<const std::string> missing_;
};

// The columns of a feature, and how they become texts.
struct ValuePlan {
  std::vector<std::size_t> columns;  // positions among those of the encoder
  std::vector<std::string> names;    // of them
  std::optional<Bag> bag;

  ValuePlan(const Feature& feature, const Positions& all)
      : names(columns_of(feature)), bag(feature.bag) {
    for (const std::string& name : names) columns.push_back(all.at(name));
  }
};

[[noreturn]] PLAIT_COLD inline void refuse_list(const std::string& column, std::size_t size) {
  throw ColumnError(column, text("a list of ", size), "a text: the feature has no bag");
}

inline std::string_view single_text(const RawValue& value, const std::string& column) {
  if (value.is_list()) refuse_list(column, value.list().size());
  return value.text();
}

// Calls take(item) for the items of a text that are not empty.
template <class Take>
void split(std::string_view text, std::string_view separator, const Take& take) {
  while (!text.empty()) {
    const std::size_t end = separator.empty() ? text.npos : text.find(separator);
    if (end != 0) take(text.substr(0, end));
    if (end == text.npos) return;
    text.remove_prefix(end + separator.size());
  }
}

template <class Take>
void for_each_item(const Bag& bag, const RawValue& value, const Take& take) {
  const auto for_all = [&](const auto& use) {
    if (!value.is_list()) return split(value.text(), bag.separator, use);
    for (const std::string_view item : value.list())
      if (!item.empty()) use(item);
  };
  if (bag.max_length == 0) return for_all(take);
  Index items = 0;
  for_all([&](std::string_view) { ++items; });
  for_all([&](std::string_view item) {
    if (items-- <= bag.max_length) take(item);
  });
}

// Calls take(text) for each text of the feature, none of which is empty: one, or those of a bag.
// Returns false if the value is missing. `joined` is a room for combinations. Throws ColumnError
// for a list where there is no bag.
template <class Take>
bool for_each_text(const ValuePlan& plan, const RowValues& values, std::string& joined,
                   const Take& take) {
  if (plan.bag) {
    const RawValue value = values(plan.columns[0]);
    if (value.is_missing()) return false;
    for_each_item(*plan.bag, value, take);
    return true;
  }
  std::string_view whole;
  if (plan.columns.size() == 1) {
    whole = single_text(values(plan.columns[0]), plan.names[0]);
    if (whole.empty()) return false;
  } else {
    joined.clear();
    for (std::size_t i = 0; i < plan.columns.size(); ++i) {
      if (i > 0) joined += '\x1f';
      joined += single_text(values(plan.columns[i]), plan.names[i]);
    }
    if (joined.size() == plan.columns.size() - 1) return false;
    whole = joined;
  }
  take(whole);
  return true;
}

inline double number_of(std::string_view text, const std::string& column) {
  const auto number = parse_csv_number<double>(text);
  if (!number) throw ColumnError(column, in_quotes(text), "a number");
  return *number;
}

// sign(x) log(1 + |x|): log1p where that is defined, and a number everywhere.
inline double signed_log1p(double x) { return std::copysign(std::log1p(std::abs(x)), x); }

inline std::uint64_t direct_id(std::string_view text, std::uint64_t rows,
                               const std::string& column) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id >= rows)
    throw ColumnError(column, in_quotes(text), plait::text("a whole number below ", rows));
  return id;
}

// Boundaries <= x.
inline std::uint64_t bucket_of(double x, std::span<const double> boundaries) {
  return static_cast<std::uint64_t>(std::ranges::upper_bound(boundaries, x) - boundaries.begin());
}

}  // namespace plait::detail
