// Hyper-parameters and weights that gradients are multiplied by.
#pragma once
#include <limits>
#include <string_view>

#include "plait/core/error.hpp"

namespace plait::detail {

// Methods compute in double, but what they weigh may be float, in which a smaller factor makes
// nothing, and a larger one infinity, of the gradients.
inline constexpr double least_factor = (std::numeric_limits<float>::min)();
inline constexpr double largest_factor = (std::numeric_limits<float>::max)();

// Throws ConfigError unless the factor, which is at least 0, is 0 or within them.
inline void validate_factor(std::string_view method, std::string_view argument, double factor) {
  require_config(factor == 0 || (factor >= least_factor && factor <= largest_factor), method,
                 argument, text(factor),
                 text("0 or numbers in [", least_factor, ", ", largest_factor, "]"));
}

}  // namespace plait::detail
