// The version, single-sourced: CMake reads it from this line.
#pragma once
#include <string_view>

namespace plait {

inline constexpr std::string_view version = "0.1.0";

}  // namespace plait
