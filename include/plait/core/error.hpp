// Typed errors: each names where it was raised, which argument was wrong, what was got and what was
// expected. Public entry points throw them before anything is changed.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "plait/core/config.hpp"

namespace plait {

// Base of everything the library throws on purpose.
// what() reads "plait::AdaTT: levels: got 0 levels, expected at least one".
class Error : public std::runtime_error {
 public:
  PLAIT_COLD Error(std::string_view where, std::string_view argument, std::string_view got,
                   std::string_view expected)
      : std::runtime_error(std::string("plait::")
                               .append(where)
                               .append(": ")
                               .append(argument)
                               .append(": got ")
                               .append(got)
                               .append(", expected ")
                               .append(expected)) {}
};

// A description that cannot be built: zero tasks, a negative width, a name used twice.
class ConfigError : public Error {
  using Error::Error;
};

// Data whose shape does not fit what it is passed to.
class ShapeError : public Error {
  using Error::Error;
};

// Data of the right shape with a value outside its domain: a class index too large, a NaN label.
class ValueError : public Error {
  using Error::Error;
};

// In a namespace of its own, which argument-dependent lookup does not look through: no call of a
// user's own text() finds it because of an argument of plait's.
namespace texts {

// Joins its arguments as they would be streamed; for the texts of errors.
template <class... Parts>
PLAIT_COLD std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

}  // namespace texts
using namespace texts;

// Throws ConfigError unless the condition holds.
inline void require_config(bool condition, std::string_view where, std::string_view argument,
                           std::string_view got, std::string_view expected) {
  if (!condition) throw ConfigError(where, argument, got, expected);
}

}  // namespace plait
