// A strict reader of XML without DTDs, to show that pages are well formed and to look into them.
#pragma once
#include <cctype>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace xml {

struct Element {
  std::string name;
  std::map<std::string, std::string> attributes;
  std::string text;  // of this element alone
  std::vector<Element> children;

  // The element and all below it, from the top.
  void visit(const std::function<void(const Element&)>& f) const {
    f(*this);
    for (const Element& child : children) child.visit(f);
  }
  std::vector<std::string> texts(const std::string& of) const {
    std::vector<std::string> found;
    visit([&](const Element& e) {
      if (e.name == of) found.push_back(e.text);
    });
    return found;
  }
};

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Element document() {
    if (starts("<!DOCTYPE html>\n")) at_ += 16;
    Element root = element();
    skip_space();
    require(at_ == text_.size(), "something after the root element");
    return root;
  }

 private:
  Element element() {
    Element result;
    expect('<');
    result.name = name();
    while (true) {
      const bool space = skip_space();
      if (starts("/>")) {
        at_ += 2;
        return result;
      }
      if (starts(">")) break;
      require(space, "no space before an attribute");
      const std::string key = name();
      expect('=');
      expect('"');
      const bool fresh = result.attributes.emplace(key, text_until('"')).second;
      require(fresh, "an attribute twice");
      expect('"');
    }
    expect('>');
    while (!starts("</")) {
      if (starts("<"))
        result.children.push_back(element());
      else
        result.text += text_until('<');
    }
    at_ += 2;
    require(name() == result.name, "an element closed by another name");
    expect('>');
    return result;
  }

  // References replaced.
  std::string text_until(char end) {
    static const std::map<std::string, char> references{
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"#39", '\''}};
    std::string result;
    while (peek() != end) {
      require(peek() != '<', "< in an attribute");
      const char c = text_[at_++];
      require(static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t',
              "a control character");
      if (c != '&') {
        result += c;
        continue;
      }
      std::string reference;
      while (peek() != ';') reference += text_[at_++];
      ++at_;
      require(references.count(reference) == 1, "an unknown reference");
      result += references.at(reference);
    }
    return result;
  }

  std::string name() {
    std::string result;
    while (std::isalnum(static_cast<unsigned char>(peek())) || peek() == '-' || peek() == ':')
      result += text_[at_++];
    require(!result.empty(), "no name");
    return result;
  }

  bool skip_space() {
    const std::size_t before = at_;
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ > before;
  }
  bool starts(std::string_view with) const { return text_.substr(at_).starts_with(with); }
  char peek() const {
    require(at_ < text_.size(), "an early end");
    return text_[at_];
  }
  void expect(char c) {
    require(peek() == c, std::string("another character than ") + c);
    ++at_;
  }
  void require(bool condition, const std::string& found) const {
    if (!condition)
      throw std::runtime_error("at byte " + std::to_string(at_) + ": " + found + ", near \"" +
                               std::string(text_.substr(at_ < 40 ? 0 : at_ - 40, 80)) + '"');
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

inline Element parse(std::string_view text) { return Reader(text).document(); }

}  // namespace xml
