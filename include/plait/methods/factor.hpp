// Hyper-parameters and weights that gradients are multiplied by.
#pragma once
#include <limits>
#include <string_view>

#include "plait/core/representable.hpp"

namespace plait::detail {

// Methods compute in double, but what they weigh may be float, in which a smaller factor makes
// nothing, and one larger than this infinity, of the gradients.
inline constexpr double largest_factor = (std::numeric_limits<float>::max)();

// Throws ConfigError for a factor that float cannot hold.
inline void validate_factor(std::string_view method, std::string_view argument, double factor) {
  require_representable<float>(method, argument, factor);
}

}  // namespace plait::detail
