// Reads JSON (RFC 8259) from its beginning to its end, value by value, for texts that are mostly
// numbers and short strings: nlohmann's parser takes longer for a request's features than the model
// for its scores.
#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace service {

// What is no JSON.
class JsonError : public std::runtime_error {
 public:
  explicit JsonError(std::size_t byte_);
  std::size_t byte;  // the first that does not belong there, from 1
};

class JsonReader {
 public:
  // The text must outlive the reader. All but at_end throw JsonError where the text is no JSON.
  explicit JsonReader(std::string_view text) : text_(text) {}

  enum class Kind { object, array, string, number, boolean, null };
  // Of the next value, which stays the next one.
  Kind kind();

  // Reads the next value, which is of that kind. The callbacks read the member's value, or the
  // element; or throw, which ends the reading.
  template <class OnMember>
  void object(const OnMember& on_member) {
    list('}', [&] {
      const std::string name(key());
      on_member(name);
    });
  }
  template <class OnElement>
  void array(const OnElement& on_element) {
    list(']', on_element);
  }
  // The nearest float or double: infinity beyond the largest, 0 below the smallest.
  float read_float();
  double read_double();
  // A number as plait::JsonLinesReader makes a text of it: whole ones as they are, others in the
  // fewest digits. Empty for one beyond double's range.
  std::string read_number_text();
  // Without escapes; valid until the next string or key.
  std::string_view read_string();
  bool read_boolean();
  void read_null() { at_ += 4; }

  // Refuses what follows the value, spaces aside.
  void finish();

 private:
  template <class OnItem>
  void list(char end, const OnItem& on_item) {
    skip_spaces();
    ++at_;  // the opening bracket
    skip_spaces();
    if (next() == end) {
      ++at_;
      return;
    }
    for (;;) {
      on_item();
      skip_spaces();
      if (next() == end) break;
      expect(',');
    }
    ++at_;
  }

  template <class Number>
  Number number();
  std::string_view number_text();
  std::string_view key();
  void skip_spaces();
  // 0 at the end; no JSON has one outside of a string.
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void expect(char c);
  [[noreturn]] void fail() const;

  std::string_view text_;
  std::size_t at_ = 0;
  std::string string_;  // the last one that had escapes
};

}  // namespace service
