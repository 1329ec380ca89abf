#include "format.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "plait/core/csv.hpp"

namespace ranker {

std::string fixed(double value, int digits) {
  return std::isnan(value) ? "-" : plait::fixed_number(value, digits);
}

std::string signed_fixed(double value, int digits) {
  const bool plus = !std::isnan(value) && !std::signbit(value);
  return (plus ? "+" : "") + fixed(value, digits);
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

}  // namespace ranker
