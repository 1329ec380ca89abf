#include "format.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "plait/core/csv.hpp"

namespace ranker {

std::string fixed(double value, int digits) {
  if (std::isnan(value)) return "-";
  // Of numbers as large, decimals say nothing and zeros fill the line.
  return std::abs(value) < 1e8 ? plait::fixed_number(value, digits)
                               : plait::general_number(value, digits + 1);
}

std::string signed_fixed(double value, int digits) {
  const bool plus = !std::isnan(value) && !std::signbit(value);
  return std::string(plus ? 1 : 0, '+').append(fixed(value, digits));
}

std::string grouped(plait::Index value) {
  std::string text = std::to_string(value);
  const std::ptrdiff_t first = value < 0 ? 1 : 0;
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > first; at -= 3)
    text.insert(static_cast<std::size_t>(at), 1, ',');
  return text;
}

std::string duration(double seconds) {
  const auto total = static_cast<long>(std::llround(std::clamp(seconds, 0.0, 359999.0)));
  char text[32];
  if (total >= 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", total / 3600, total / 60 % 60, total % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld", total / 60, total % 60);
  return text;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string wrapped(std::string_view text, int width) {
  std::string lines;
  std::size_t room = 0;  // that the line has left
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const std::size_t needed = width_of(word);
    if (!lines.empty() && needed < room) {
      lines += ' ';
      room -= needed + 1;
    } else {
      if (!lines.empty()) lines += '\n';
      room = static_cast<std::size_t>(width) - std::min(needed, static_cast<std::size_t>(width));
    }
    lines += word;
  }
  return lines + '\n';
}

}  // namespace ranker
