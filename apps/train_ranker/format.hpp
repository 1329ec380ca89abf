// Numbers as text for people.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "plait/core/config.hpp"

namespace ranker {

std::string fixed(double value, int digits);  // 0.5 -> "0.5000"; NaN -> "-"; 2.3e12 -> "2.3e+12"
std::string signed_fixed(double value, int digits);  // 0.5 -> "+0.50"; NaN -> "-"
std::string grouped(plait::Index value);             // 1234567 -> "1,234,567"
std::string duration(double seconds);                // 75.2 -> "1:15", 3700 -> "1:01:40"

// Characters, not bytes: UTF-8 continuation bytes take no room.
std::size_t width_of(std::string_view text);

// A text in lines of at most `width` characters, each with a newline, broken at spaces; a word that
// is longer has a line of its own.
std::string wrapped(std::string_view text, int width);

}  // namespace ranker
