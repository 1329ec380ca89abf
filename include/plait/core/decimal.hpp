// Decimal numbers read whatever the locale: std::from_chars, and what stands in for it where the
// standard library has none of floating point (libc++).
#pragma once
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace plait::detail {

// As std::from_chars(text, value): the same end, error and bits, for a decimal number with or
// without an exponent; "inf" and "nan" are no numbers here. strtod reads by the locale's decimal
// point: it is given the digits without one, and the power of ten that makes up for it.
template <std::floating_point Number>
std::from_chars_result parse_decimal_by_strtod(std::string_view text, Number& value) {
  const char* const end = text.data() + text.size();
  const char* at = text.data();
  const auto is_digit = [&] { return at != end && *at >= '0' && *at <= '9'; };
  const bool negative = at != end && *at == '-';
  if (negative) ++at;

  std::string digits = negative ? "-" : "";
  const std::size_t sign = digits.size();
  std::int64_t power = 0;
  bool any = false;
  const auto take_digits = [&](std::int64_t power_of_each) {
    for (; is_digit(); ++at) {
      any = true;
      if (*at == '0' && digits.size() == sign) {  // a leading one
        power += power_of_each;
        continue;
      }
      digits += *at;
      power += power_of_each;
    }
  };
  take_digits(0);
  if (at != end && *at == '.') {
    ++at;
    take_digits(-1);
  }
  if (!any) return {text.data(), std::errc::invalid_argument};
  const char* after = at;
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    const bool down = at != end && *at == '-';
    if (at != end && (*at == '-' || *at == '+')) ++at;
    constexpr std::int64_t beyond = std::int64_t{1} << 60;  // of any number, however many digits
    std::int64_t exponent = 0;
    for (; is_digit(); after = ++at)
      if (exponent < beyond / 10) exponent = 10 * exponent + (*at - '0');
    power += down ? -exponent : exponent;
  }

  const bool is_zero = digits.size() == sign;
  if (is_zero) {
    value = negative ? -Number(0) : Number(0);
    return {after, std::errc()};
  }
  digits += 'e';
  digits += std::to_string(power);
  Number result;
  if constexpr (std::is_same_v<Number, float>)
    result = std::strtof(digits.c_str(), nullptr);
  else if constexpr (std::is_same_v<Number, double>)
    result = std::strtod(digits.c_str(), nullptr);
  else
    result = std::strtold(digits.c_str(), nullptr);
  if (result == 0 || std::isinf(result)) return {after, std::errc::result_out_of_range};
  value = result;
  return {after, std::errc()};
}

template <std::floating_point Number>
std::from_chars_result parse_decimal(std::string_view text, Number& value) {
#ifdef __cpp_lib_to_chars
  return std::from_chars(text.data(), text.data() + text.size(), value);
#else
  return parse_decimal_by_strtod(text, value);
#endif
}

}  // namespace plait::detail
