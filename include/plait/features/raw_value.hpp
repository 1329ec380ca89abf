// What a raw row has in a column: a text, a list of texts, or nothing.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace plait {

// A view: whoever reads the rows owns the texts.
class RawValue {
 public:
  RawValue() = default;  // missing
  RawValue(std::string_view text) : data_(text.data()), size_(text.size()), kind_(Kind::text) {}
  RawValue(const std::string& text) : RawValue(std::string_view(text)) {}
  RawValue(const char* text) : RawValue(std::string_view(text)) {}
  RawValue(std::span<const std::string_view> list)
      : data_(list.data()), size_(list.size()), kind_(Kind::list) {}

  bool is_missing() const { return kind_ == Kind::missing; }
  bool is_text() const { return kind_ == Kind::text; }
  bool is_list() const { return kind_ == Kind::list; }
  // Empty unless is_text().
  std::string_view text() const {
    return is_text() ? std::string_view(static_cast<const char*>(data_), size_)
                     : std::string_view();
  }
  // Empty unless is_list().
  std::span<const std::string_view> list() const {
    using List = std::span<const std::string_view>;
    return is_list() ? List(static_cast<const std::string_view*>(data_), size_) : List();
  }

 private:
  enum class Kind { missing, text, list };

  const void* data_ = nullptr;
  std::size_t size_ = 0;
  Kind kind_ = Kind::missing;
};

// The values of a row, by the position of their columns.
using RawRow = std::span<const RawValue>;

}  // namespace plait
