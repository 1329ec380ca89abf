// What the service's clients rely on: what goes in and what comes out under which names. It is that
// of the model the service started with, and a model with another one is not swapped in.
#pragma once
#include <string>
#include <vector>

#include "plait/core/config.hpp"

namespace service {

using plait::Index;

// A value of raw rows, which requests give by name.
struct RawColumn {
  std::string name;
  bool is_user = false;  // the same for all candidates: a feature of the user's reads it

  bool operator==(const RawColumn&) const = default;
};

// Of models with an encoder raw rows go in, of others numbers.
struct Interface {
  Index user_features = 0;           // numbers of "user"; 0: requests have none
  Index candidate_features = 0;      // numbers of each candidate
  std::vector<std::string> columns;  // scores of a candidate: "click", or "stars.0", "stars.1", ...
  std::vector<RawColumn> raw = {};   // by name; empty: numbers

  bool takes_raw() const { return !raw.empty(); }
  bool operator==(const Interface&) const = default;
};

// Columns of the input as "0-31,40" names them, in that order. Throws UsageError for a text of
// another form.
std::vector<Index> parse_columns(const std::string& text);

}  // namespace service
