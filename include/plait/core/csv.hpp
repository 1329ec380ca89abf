// Numbers as fields of a CSV file.
#pragma once
#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace plait {

// The shortest text that reads back as the same number, whatever the locale; "nan" for every NaN.
inline std::string csv_number(double value) {
  if (std::isnan(value)) return "nan";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

}  // namespace plait
