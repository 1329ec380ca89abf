// Typed errors: each names where it was raised, which argument was wrong, what was got and what was
// expected. Public entry points throw them before anything is changed.
#pragma once
#include <charconv>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

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

// One argument of text(), as a stream would print it. That texts are joined by one function, not by
// one per list of types, is a good part of what a header full of checks costs to compile.
class Part {
 public:
  Part(std::string_view words) : words_(words) {}
  Part(const std::string& words) : words_(words) {}
  Part(const char* words) : words_(words) {}
  Part(const char& character) : words_(&character, 1) {}
  template <std::integral Number>
  Part(Number number) {
    set(std::to_chars(digits_, digits_ + sizeof(digits_), +number).ptr);
  }
  template <std::floating_point Number>
  Part(Number number) {
    constexpr auto format = std::chars_format::general;
    constexpr int precision = 6;
    set(std::to_chars(digits_, digits_ + sizeof(digits_), number, format, precision).ptr);
  }
  Part(const Part&) = delete;  // may point into itself
  Part& operator=(const Part&) = delete;

  std::string_view words() const { return words_; }

 private:
  void set(const char* end) { words_ = {digits_, static_cast<std::size_t>(end - digits_)}; }

  char digits_[24];
  std::string_view words_;
};

PLAIT_COLD inline std::string join(std::initializer_list<Part> parts) {
  std::string joined;
  for (const Part& part : parts) joined += part.words();
  return joined;
}

// Joins its arguments; for the texts of errors.
template <class... Parts>
PLAIT_COLD std::string text(const Parts&... parts) {
  return join({Part(parts)...});
}

}  // namespace texts
using namespace texts;

// Throws ConfigError unless the condition holds.
inline void require_config(bool condition, std::string_view where, std::string_view argument,
                           std::string_view got, std::string_view expected) {
  if (!condition) throw ConfigError(where, argument, got, expected);
}

}  // namespace plait
