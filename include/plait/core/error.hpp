// Typed errors: each names where it was raised, which argument was wrong, what was got and what was
// expected. Public entry points throw them before anything is changed.
#pragma once
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include "plait/core/config.hpp"

namespace plait {

// In a namespace of its own, which argument-dependent lookup does not look through: no call of a
// user's own text() finds it because of an argument of plait's.
namespace texts {

// One argument of text(): numbers of any type in the fewest digits that tell them from all others
// of it, whatever the locale. That texts are joined by one function, not by one per list of types,
// is a good part of what a header full of checks costs to compile.
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
    if (std::isnan(number)) number = std::abs(number);  // not "-nan", which some computers make
    set(std::to_chars(digits_, digits_ + sizeof(digits_), number, std::chars_format::general).ptr);
  }
  Part(const Part&) = delete;  // may point into itself
  Part& operator=(const Part&) = delete;

  std::string_view words() const { return words_; }

 private:
  void set(const char* end) { words_ = {digits_, static_cast<std::size_t>(end - digits_)}; }

  char digits_[48];
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

// Bytes of the first character of `words` when it is UTF-8 that shows itself, else 0: control
// characters, spaces without width, marks of byte order and writing direction, and bytes that are
// no text. `words` is not empty.
PLAIT_COLD inline std::size_t visible(std::string_view words) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(words[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || words.size() < size) return 0;
  std::uint32_t code = first & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0u) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3fu);
  }
  const auto within = [&](std::uint32_t low, std::uint32_t high) {
    return low <= code && code <= high;
  };
  const bool written_short = code >= (size == 4 ? 0x10000u : size == 3 ? 0x800u : 0x80u);
  if (!written_short || code > 0x10ffff || within(0xd800, 0xdfff)) return 0;
  const bool hidden = within(0x80, 0x9f) || code == 0xad || within(0x200b, 0x200f) ||
                      within(0x2028, 0x202e) || within(0x2060, 0x206f) || code == 0xfeff ||
                      within(0xe0000, 0xe007f);
  return hidden ? 0 : size;
}

// Words from outside as a text may show them: what is not visible as \x and two digits for each of
// its bytes, and "..." for what follows the first `most` bytes.
PLAIT_COLD inline std::string shown(std::string_view words, std::size_t most = 4000) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t size = visible(words.substr(at));
    if (at + size > most || at == most) return result + "...";
    if (size > 0) {
      result += words.substr(at, size);
    } else {
      const auto byte = static_cast<unsigned char>(words[at]);
      result += {'\\', 'x', digits[byte >> 4], digits[byte & 15u]};
    }
    at += size > 0 ? size : 1;
  }
  return result;
}

// A name from outside, in quotes and as shown(), short enough for what follows it to be seen.
PLAIT_COLD inline std::string in_quotes(std::string_view name) {
  return "'" + shown(name, 100) + "'";
}

}  // namespace texts
using namespace texts;

// Base of everything the library throws on purpose.
// what() reads "plait::AdaTT: levels: got 0 levels, expected at least one". Names and values in it
// may come from outside: what could steer a terminal, hide or fake a line is escaped, and what is
// long is cut (see shown()).
class Error : public std::runtime_error {
 public:
  PLAIT_COLD Error(std::string_view where, std::string_view argument, std::string_view got,
                   std::string_view expected)
      : std::runtime_error(std::string("plait::")
                               .append(shown(where))
                               .append(": ")
                               .append(shown(argument))
                               .append(": got ")
                               .append(shown(got))
                               .append(", expected ")
                               .append(shown(expected))) {}
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

// Throws ConfigError unless the condition holds.
inline void require_config(bool condition, std::string_view where, std::string_view argument,
                           std::string_view got, std::string_view expected) {
  if (!condition) throw ConfigError(where, argument, got, expected);
}

}  // namespace plait
