// Markup: XML text written element by element, well formed by construction.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace svg {

// As text or as an attribute's value: & < > " and ' become references, control characters that XML
// forbids become U+FFFD. The text is taken for UTF-8.
std::string escaped(std::string_view text);

// A coordinate: at most two decimals, no trailing zeros, never "-0".
std::string number(double value);

class Markup {
 public:
  using Attributes = std::vector<std::pair<std::string_view, std::string>>;

  // <name ...>, until close().
  Markup& open(std::string_view name, const Attributes& attributes = {});
  Markup& close();
  // <name .../>
  Markup& leaf(std::string_view name, const Attributes& attributes = {});
  // <name ...>text</name>
  Markup& element(std::string_view name, const Attributes& attributes, std::string_view text);
  // Escaped.
  Markup& text(std::string_view text);
  // As it is: the whole of another Markup, or a style sheet without & and <.
  Markup& raw(std::string_view markup);

  // What was written; every element is to be closed.
  const std::string& str() const;

 private:
  void start(std::string_view name, const Attributes& attributes);

  std::string out_;
  std::vector<std::string> open_;
};

}  // namespace svg
