#include "json_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>
#include <type_traits>

#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"

namespace service {
namespace {

bool is_digit(char c) { return '0' <= c && c <= '9'; }

// The length of a number such as -12.3456 at the beginning of `text`, and its value; 0 for any
// other text. Digits and power of ten are exact in float, so that their quotient is the nearest
// float (Clinger 1990).
std::size_t read_short(std::string_view text, float& value) {
  constexpr float powers_of_ten[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
  const char* at = text.data();
  const char* const end = at + std::min<std::size_t>(text.size(), 10);
  const bool negative = at < end && *at == '-';
  at += negative;
  const char* const first = at;
  std::int64_t digits = 0;
  const auto read_digits = [&] {
    for (; at < end && is_digit(*at); ++at) digits = 10 * digits + (*at - '0');
  };
  read_digits();
  if (at == first || (*first == '0' && at - first > 1) || at == end || *at != '.') return 0;
  const char* const point = at++;
  read_digits();
  const auto decimals = at - point - 1;
  if (decimals == 0 || at == end || *at == 'e' || *at == 'E' || digits > 1 << 24) return 0;
  value = static_cast<float>(digits) / powers_of_ten[decimals];
  if (negative) value = -value;
  return static_cast<std::size_t>(at - text.data());
}

}  // namespace

JsonError::JsonError(std::size_t byte_)
    : std::runtime_error("no JSON at byte " + std::to_string(byte_)), byte(byte_) {}

JsonReader::Kind JsonReader::kind() {
  skip_spaces();
  const auto rest_is = [&](std::string_view word) { return text_.substr(at_).starts_with(word); };
  switch (next()) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
      if (rest_is("true")) return Kind::boolean;
      break;
    case 'f':
      if (rest_is("false")) return Kind::boolean;
      break;
    case 'n':
      if (rest_is("null")) return Kind::null;
      break;
    default:
      if (next() == '-' || is_digit(next())) return Kind::number;
  }
  fail();
}

float JsonReader::read_float() {
  float value = 0;
  const std::size_t length = read_short(text_.substr(at_), value);
  at_ += length;
  return length > 0 ? value : number<float>();
}
double JsonReader::read_double() { return number<double>(); }

void JsonReader::finish() {
  skip_spaces();
  if (at_ < text_.size()) fail();
}

template <class Number>
Number JsonReader::number() {
  const std::string_view digits = number_text();
  Number value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (result.ec == std::errc::result_out_of_range) {  // which of the two ends, strtod tells
    const std::string copy(digits);
    if constexpr (std::is_same_v<Number, float>) {
      value = std::strtof(copy.c_str(), nullptr);
    } else {
      value = std::strtod(copy.c_str(), nullptr);
    }
  }
  return value;
}

// from_chars takes more than JSON's numbers: 01, 1., inf.
std::string_view JsonReader::number_text() {
  const std::size_t first = at_;
  const auto digits = [&] {
    if (!is_digit(next())) fail();
    while (is_digit(next())) ++at_;
  };
  if (next() == '-') ++at_;
  if (next() == '0') {
    ++at_;
  } else {
    digits();
  }
  if (next() == '.') {
    ++at_;
    digits();
  }
  if (next() == 'e' || next() == 'E') {
    ++at_;
    if (next() == '+' || next() == '-') ++at_;
    digits();
  }
  return text_.substr(first, at_ - first);
}

std::string JsonReader::read_number_text() {
  const std::string_view digits = number_text();
  const bool is_whole = digits.find_first_of(".eE") == digits.npos;
  const auto whole = [&](auto value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() ? plait::text(value) : std::string();
  };
  if (is_whole) {
    std::string text = digits[0] == '-' ? whole(std::int64_t{}) : whole(std::uint64_t{});
    if (!text.empty()) return text;
  }
  at_ -= digits.size();
  const double value = read_double();
  if (!std::isfinite(value)) return {};
  return is_whole ? std::string(digits) : plait::csv_number(value);
}

std::string_view JsonReader::read_string() {
  if (next() != '"') fail();
  const auto is_plain = [](char c) { return 0x20 <= c && c < 0x7f && c != '"' && c != '\\'; };
  std::size_t end = at_ + 1;
  while (end < text_.size() && is_plain(text_[end])) ++end;
  if (end < text_.size() && text_[end] == '"') {
    const std::string_view plain = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return plain;
  }
  // nlohmann knows escapes and UTF-8.
  while (end < text_.size() && text_[end] != '"') end += text_[end] == '\\' ? 2 : 1;
  if (end >= text_.size()) {
    at_ = text_.size();
    fail();
  }
  const auto parsed = nlohmann::json::parse(text_.substr(at_, end + 1 - at_), nullptr, false);
  if (!parsed.is_string()) fail();
  at_ = end + 1;
  string_ = parsed;
  return string_;
}

bool JsonReader::read_boolean() {
  const bool value = next() == 't';
  at_ += value ? 4 : 5;
  return value;
}

// A member's name and the colon.
std::string_view JsonReader::key() {
  skip_spaces();
  const std::string_view name = read_string();
  skip_spaces();
  expect(':');
  return name;
}

void JsonReader::skip_spaces() {
  while (next() == ' ' || next() == '\n' || next() == '\r' || next() == '\t') ++at_;
}

void JsonReader::expect(char c) {
  if (next() != c) fail();
  ++at_;
}

void JsonReader::fail() const { throw JsonError(at_ + 1); }

}  // namespace service
