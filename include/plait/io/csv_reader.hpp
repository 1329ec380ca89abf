// Rows of CSV: RFC 4180, with any separator, and with what programs make of it: \n alone, a byte
// order mark, empty lines, any bytes in fields.
//
// Not a library's: Debian's fast-cpp-csv-parser wants the columns at compile time and one line per
// row, libcsv is LGPL, to be linked, and tells no positions; others start threads or hold the file.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <istream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/features/raw_value.hpp"
#include "plait/io/error.hpp"
#include "plait/io/line_reader.hpp"
#include "plait/io/row_reader.hpp"

namespace plait {

struct CsvOptions {
  char separator = 0;                     // 0: that of , ; and tab that the first line has most of
  char quote = '"';                       // 0: none, as in many files with tabs
  std::vector<std::string> columns = {};  // of a file without a header; empty: its first row
  Index max_line = Index{1} << 24;        // bytes of a row
};

// A value is a text, the empty one included. Fields in quotes may hold separators, line ends and
// doubled quotes; a quote within a field that does not begin with one is itself. Lines without any
// byte are skipped.
class CsvReader final : public RowReader {
 public:
  // Reads the header. `name` stands for the stream in errors. Throws ConfigError for options that
  // make no sense, FormatError for a stream without a header, or as next().
  PLAIT_COLD CsvReader(std::istream& stream, std::string name, CsvOptions options = {})
      : lines_(stream, std::move(name), static_cast<std::size_t>(options.max_line)),
        separator_(options.separator),
        quote_(options.quote),
        columns_(std::move(options.columns)) {
    require_config(options.max_line >= 1, "CsvReader", "max_line", text(options.max_line),
                   "1 or more");
    for (const char c : {separator_, quote_})
      require_config(c != '\n' && c != '\r' && (c == 0 || separator_ != quote_), "CsvReader",
                     "separator and quote", "a line's end, or both the same", "two other bytes");
    if (!columns_.empty()) return;
    if (!next()) throw FormatError(this->name(), "header", "no line", "the names of the columns");
    for (const RawValue& value : row_) columns_.emplace_back(value.text());
  }

  std::span<const std::string> columns() const override { return columns_; }
  RawRow row() const override { return row_; }
  const std::string& name() const override { return lines_.name(); }
  Index line() const override { return lines_.line(); }

  bool next() override {
    do
      if (!lines_.next()) return false;
    while (lines_.record().empty());
    if (separator_ == 0) separator_ = guess(lines_.record());
    row_.clear();
    const std::string_view record = lines_.record();
    if (quote_ == 0 || std::memchr(record.data(), quote_, record.size()) == nullptr)
      split(record);
    else
      unquote();
    if (!columns_.empty() && row_.size() != columns_.size())
      throw FormatError(place(), "row", text(row_.size(), " values"), text(columns_.size()));
    return true;
  }

 private:
  // A comma, if there is none of them.
  char guess(std::string_view record) const {
    constexpr std::array<char, 3> separators{',', ';', '\t'};
    std::array<Index, separators.size()> counts{};
    bool quoted = false;
    for (const char c : record) {
      if (quote_ != 0 && c == quote_) quoted = !quoted;
      for (std::size_t i = 0; i < separators.size(); ++i)
        if (!quoted && c == separators[i]) ++counts[i];
    }
    return separators[static_cast<std::size_t>(std::ranges::max_element(counts) - counts.begin())];
  }

  void split(std::string_view record) {
    const char* at = record.data();
    const char* const end = at + record.size();
    for (const char* begin = at;; begin = ++at) {
      while (at != end && *at != separator_) ++at;
      row_.emplace_back(std::string_view(begin, static_cast<std::size_t>(at - begin)));
      if (at == end) return;
    }
  }

  // Of a record with quotes somewhere. Fields lose them in place. A field that goes on beyond its
  // line takes the next one in: the record may then move, so that fields are places until its end.
  void unquote() {
    fields_.clear();
    std::size_t at = 0, written = 0;
    for (;;) {
      const std::size_t begin = written;
      const std::size_t size = lines_.record().size();
      if (at < size && lines_.data()[at] == quote_) {
        read_quoted(++at, written);
        const std::size_t now = lines_.record().size();
        if (at < now && lines_.data()[at] != separator_)
          refuse("more after the closing quote", "a separator or the line's end");
      } else {
        char* const data = lines_.data();
        while (at < size && data[at] != separator_) data[written++] = data[at++];
      }
      fields_.push_back({begin, written - begin});
      if (at >= lines_.record().size()) break;
      ++at;
    }
    const char* const data = lines_.data();
    for (const auto [begin, size] : fields_)
      row_.emplace_back(std::string_view(data + begin, size));
  }

  // From behind the opening quote to behind the closing one.
  void read_quoted(std::size_t& at, std::size_t& written) {
    for (;;) {
      // Within quotes a line's end is a part of the field.
      const std::size_t size = lines_.whole().size();
      char* const data = lines_.data();
      for (; at < size; data[written++] = data[at++]) {
        if (data[at] != quote_) continue;
        if (at + 1 == size || data[at + 1] != quote_) {
          ++at;
          return;
        }
        ++at;
      }
      if (!lines_.extend()) refuse("no closing quote", "one");
    }
  }

  [[noreturn]] PLAIT_COLD void refuse(std::string_view got, std::string_view expected) const {
    const std::size_t column = fields_.size();
    throw FormatError(place(),
                      column < columns_.size() ? "column " + in_quotes(columns_[column])
                                               : text("column ", column + 1),
                      got, expected);
  }

  struct Place {
    std::size_t begin, size;
  };

  detail::LineReader lines_;
  char separator_;
  char quote_;
  std::vector<std::string> columns_;
  std::vector<RawValue> row_;
  std::vector<Place> fields_;
};

}  // namespace plait
