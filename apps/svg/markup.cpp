#include "svg/markup.hpp"

#include <cmath>
#include <stdexcept>

#include "plait/core/csv.hpp"

namespace svg {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\t':
      case '\n':
        out += c;
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += "\xEF\xBF\xBD";
        else
          out += c;
    }
  }
  return out;
}

std::string number(double value) {
  const double rounded = std::round(value * 100) / 100;
  return plait::general_number(rounded == 0 ? 0.0 : rounded, 10);
}

void Markup::start(std::string_view name, const Attributes& attributes) {
  out_ += '<';
  out_ += name;
  for (const auto& [key, value] : attributes) {
    out_ += ' ';
    out_ += key;
    out_ += "=\"" + escaped(value) + '"';
  }
}

Markup& Markup::open(std::string_view name, const Attributes& attributes) {
  start(name, attributes);
  out_ += '>';
  open_.emplace_back(name);
  return *this;
}

Markup& Markup::close() {
  if (open_.empty()) throw std::logic_error("svg::Markup: close without an open element");
  out_ += "</" + open_.back() + ">\n";
  open_.pop_back();
  return *this;
}

Markup& Markup::leaf(std::string_view name, const Attributes& attributes) {
  start(name, attributes);
  out_ += "/>\n";
  return *this;
}

Markup& Markup::element(std::string_view name, const Attributes& attributes,
                        std::string_view content) {
  return open(name, attributes).text(content).close();
}

Markup& Markup::text(std::string_view content) { return raw(escaped(content)); }

Markup& Markup::raw(std::string_view markup) {
  out_ += markup;
  return *this;
}

const std::string& Markup::str() const {
  if (!open_.empty()) throw std::logic_error("svg::Markup: <" + open_.back() + "> is not closed");
  return out_;
}

}  // namespace svg
