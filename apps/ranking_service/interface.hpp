// What the service's clients rely on: how many numbers go in and what comes out under which names.
// It is that of the model the service started with, and a model with another one is not swapped in.
#pragma once
#include <string>
#include <vector>

#include "plait/core/config.hpp"

namespace service {

using plait::Index;

struct Interface {
  Index user_features = 0;           // numbers of "user"; 0: requests have none
  Index candidate_features = 0;      // numbers of each candidate
  std::vector<std::string> columns;  // scores of a candidate: "click", or "stars.0", "stars.1", ...

  bool operator==(const Interface&) const = default;
};

// Columns of the input as "0-31,40" names them, in that order. Throws UsageError for a text of
// another form.
std::vector<Index> parse_columns(const std::string& text);

}  // namespace service
