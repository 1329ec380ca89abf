// Fields of a CSV file (RFC 4180), numbers and texts, and the numbers of tables; whatever the
// locale.
#pragma once
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "plait/core/config.hpp"
#include "plait/core/decimal.hpp"

namespace plait {

// The shortest text that reads back as the same number of this type; "nan" for every NaN.
template <std::floating_point Number>
std::string csv_number(Number value) {
  if (std::isnan(value)) return "nan";
  std::array<char, 48> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

// A text as a field: in quotes when it holds what would end the field, or spaces at its ends.
inline std::string csv_text(std::string_view text) {
  const bool plain = text.find_first_of(",\"\r\n") == std::string_view::npos &&
                     !text.starts_with(' ') && !text.ends_with(' ');
  if (plain) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

namespace detail {

// Whether a decimal number other than 0, as from_chars takes it, lies between -1 and 1.
inline bool is_fraction(std::string_view number) {
  const auto e = number.find_first_of("eE");
  const std::string_view digits = number.substr(0, e);
  std::int32_t exponent = 0;
  if (e != std::string_view::npos) {
    std::string_view power = number.substr(e + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    const auto result = std::from_chars(power.data(), power.data() + power.size(), exponent);
    if (result.ec != std::errc()) return power.starts_with('-');
  }
  const auto position = [](std::size_t at) { return static_cast<std::int64_t>(at); };
  const auto first = digits.find_first_of("123456789");
  const auto point = (std::min)(digits.find('.'), digits.size());
  // 10^(magnitude - 1) <= |number| < 10^magnitude
  const std::int64_t magnitude =
      position(point) - position(first) + (first > point ? 1 : 0) + exponent;
  return magnitude <= 0;
}

}  // namespace detail

// The finite number that a field is, nearest to what it says: one below the type's range is 0, one
// above it is none. With or without a sign, without spaces. Nothing for any other text.
template <std::floating_point Number>
std::optional<Number> parse_csv_number(std::string_view field) {
  if (field.starts_with('+')) {
    field.remove_prefix(1);
    if (field.starts_with('-')) return std::nullopt;
  }
  Number value = 0;
  const auto [after, error] = detail::parse_decimal(field, value);
  if (after != field.data() + field.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range && detail::is_fraction(field))
    return field.starts_with('-') ? -Number(0) : Number(0);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  return value;
}

namespace detail {

PLAIT_COLD inline std::string number_text(double value, std::chars_format format, int digits) {
  if (std::isnan(value)) return "nan";
  std::string text(330 + static_cast<std::size_t>(digits), ' ');  // 309 digits, sign and point
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, format, digits).ptr;
  text.resize(static_cast<std::size_t>(end - text.data()));
  return text;
}

}  // namespace detail

// As printf's %.*f and %.*g in the C locale, digits being 0 or more; "nan" for every NaN.
inline std::string fixed_number(double value, int digits) {
  return detail::number_text(value, std::chars_format::fixed, digits);
}
inline std::string general_number(double value, int digits) {
  return detail::number_text(value, std::chars_format::general, digits);
}

// What some programs write before the first field of a file.
inline constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

}  // namespace plait
