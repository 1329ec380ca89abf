#include "format.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace ranker {
namespace {

std::string print(const char* format, int digits, double value) {
  if (std::isnan(value)) return "-";
  char text[64];
  const int length = std::snprintf(text, sizeof text, format, digits, value);
  return length < static_cast<int>(sizeof text) ? text : "overflow";
}

}  // namespace

std::string fixed(double value, int digits) { return print("%.*f", digits, value); }

std::string signed_fixed(double value, int digits) { return print("%+.*f", digits, value); }

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

}  // namespace ranker
