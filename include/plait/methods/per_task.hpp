// Hyper-parameters of which there is one per task, or none.
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/methods/factor.hpp"

namespace plait::detail {

// Throws ConfigError unless there are none, or one finite number in [0, largest] per task.
inline void validate_per_task(const std::string& method, const std::string& argument,
                              const std::vector<double>& numbers, Index tasks,
                              double largest = (std::numeric_limits<double>::max)()) {
  if (numbers.empty()) return;
  require_config(std::ssize(numbers) == tasks, method, argument, text(numbers.size(), " numbers"),
                 text(tasks, ", one per task, or none"));
  for (const double number : numbers)
    require_config(number >= 0 && number <= largest, method, argument, text(number),
                   largest == (std::numeric_limits<double>::max)()
                       ? "finite numbers of at least 0"
                       : text("numbers in [0, ", largest, "]"));
}

// The same for factors: 0 or within what float holds.
inline void validate_factors(const std::string& method, const std::string& argument,
                             const std::vector<double>& numbers, Index tasks) {
  validate_per_task(method, argument, numbers, tasks);
  for (const double number : numbers) validate_factor(method, argument, number);
}

// Of task t; `otherwise` when there are none.
inline double per_task(const std::vector<double>& numbers, Index t, double otherwise) {
  return numbers.empty() ? otherwise : numbers[static_cast<std::size_t>(t)];
}

}  // namespace plait::detail
