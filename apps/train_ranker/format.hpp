// Numbers as text for people.
#pragma once
#include <string>

#include "plait/core/config.hpp"

namespace ranker {

std::string fixed(double value, int digits);         // 0.5 -> "0.5000"; NaN -> "-"
std::string signed_fixed(double value, int digits);  // 0.5 -> "+0.50"; NaN -> "-"
std::string grouped(plait::Index value);             // 1234567 -> "1,234,567"
std::string duration(double seconds);                // 75.2 -> "1:15", 3700 -> "1:01:40"

}  // namespace ranker
