// Rows of JSON lines: an object per line, whose keys are columns.
#pragma once
#include <cstddef>
#include <istream>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"
#include "plait/features/raw_value.hpp"
#include "plait/features/text_table.hpp"
#include "plait/io/error.hpp"
#include "plait/io/json.hpp"
#include "plait/io/line_reader.hpp"
#include "plait/io/row_reader.hpp"

namespace plait {

namespace detail {

// Keeps the values of one object at a time, event by event.
class JsonRow final : public nlohmann::json_sax<Json> {
 public:
  // Columns are looked for, or, without any, added as they come.
  explicit JsonRow(std::vector<std::string> columns)
      : columns_(std::move(columns)), finds_all_(columns_.empty()) {
    for (const std::string& column : columns_) {
      require_config(names_.find(column) == TextTable::none, "JsonLinesReader", "columns",
                     in_quotes(column) + " twice", "it once");
      names_.insert(column);
    }
  }

  const std::vector<std::string>& columns() const { return columns_; }
  RawRow row() const { return row_; }

  // Throws FormatError with the reader's place for what is not one object of texts, numbers, true,
  // false, null and lists of them; for columns that are not looked for, anything.
  void parse(std::string_view line, const RowReader& reader) {
    reader_ = &reader;
    cells_.assign(columns_.size(), {});
    texts_.clear();
    items_.clear();
    depth_ = 0;
    Json::sax_parse(line.begin(), line.end(), this);
    views_.clear();
    for (const Item& item : items_) views_.push_back(view(item));
    row_.clear();
    for (const Cell& cell : cells_) {
      if (cell.kind == Cell::list)
        row_.emplace_back(std::span<const std::string_view>(views_).subspan(cell.begin, cell.size));
      else if (cell.kind == Cell::text)
        row_.emplace_back(view({cell.begin, cell.size}));
      else
        row_.emplace_back();
    }
  }

  bool null() override {
    begin_value();
    return true;
  }
  bool boolean(bool value) override { return begin_value() ? add(value ? "true" : "false") : true; }
  bool number_integer(number_integer_t value) override {
    return begin_value() ? add(text(value)) : true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    return begin_value() ? add(text(value)) : true;
  }
  // Whole ones above 64 bits keep their digits; `digits` may have a locale's decimal point.
  bool number_float(number_float_t value, const string_t& digits) override {
    if (!begin_value()) return true;
    return digits.find_first_not_of("-0123456789") == digits.npos ? add(digits)
                                                                  : add(csv_number(value));
  }
  bool string(string_t& value) override { return begin_value() ? add(value) : true; }
  bool binary(binary_t&) override { return true; }  // not of JSON

  bool start_object(std::size_t) override {
    if (depth_ > 0) nested("an object");
    ++depth_;
    return true;
  }
  bool end_object() override { return end(); }
  bool start_array(std::size_t) override {
    if (depth_ == 0) refuse("a list");
    if (depth_ > 1) nested("a list in a list");
    if (depth_++ == 1 && column_ != nowhere) {
      cells_[column_].kind = Cell::list;
      cells_[column_].begin = items_.size();
    }
    return true;
  }
  bool end_array() override { return end(); }

  bool key(string_t& name) override {
    if (depth_ > 1) return true;
    Index found = names_.find(name);
    if (found == TextTable::none && finds_all_) {
      found = names_.insert(name);
      columns_.push_back(name);
      cells_.emplace_back();
    }
    column_ = found == TextTable::none ? nowhere : static_cast<std::size_t>(found);
    if (column_ != nowhere && std::exchange(cells_[column_].seen, true))
      throw FormatError(reader_->place(), "column " + in_quotes(name), "it twice", "it once");
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    throw FormatError(reader_->place(), "row", text("no JSON at byte ", position), "a JSON object");
  }

 private:
  static constexpr std::size_t nowhere = (std::numeric_limits<std::size_t>::max)();

  struct Item {
    std::size_t begin, size;  // in texts_
  };
  struct Cell {
    enum Kind { missing, text, list };
    Kind kind = missing;
    std::size_t begin = 0, size = 0;  // in texts_, or of a list in items_
    bool seen = false;
  };

  std::string_view view(const Item& item) const {
    return std::string_view(texts_).substr(item.begin, item.size);
  }

  // Whether the value that comes is to be kept.
  bool begin_value() {
    if (depth_ == 0) refuse("a value");
    return column_ != nowhere;
  }
  bool add(std::string_view value) {
    const Item item{texts_.size(), value.size()};
    texts_ += value;
    Cell& cell = cells_[column_];
    if (depth_ == 1) {
      cell.kind = Cell::text;
      cell.begin = item.begin;
      cell.size = item.size;
    } else {
      items_.push_back(item);
      ++cell.size;
    }
    return true;
  }
  bool end() {
    --depth_;
    return true;
  }

  // What is in no column: of one that was looked for an error, else as if it were missing.
  void nested(const char* what) {
    if (column_ == nowhere) return;
    if (!finds_all_)
      throw FormatError(reader_->place(), "column " + in_quotes(columns_[column_]), what,
                        "a text, a number or a list of them");
    cells_[column_].kind = Cell::missing;
    column_ = nowhere;
  }
  [[noreturn]] void refuse(const char* what) const {
    throw FormatError(reader_->place(), "row", what, "a JSON object");
  }

  std::vector<std::string> columns_;
  TextTable names_;
  bool finds_all_;
  const RowReader* reader_ = nullptr;
  std::size_t depth_ = 0;
  std::size_t column_ = nowhere;  // of the value that comes
  std::vector<Cell> cells_;
  std::string texts_;
  std::vector<Item> items_;
  std::vector<std::string_view> views_;
  std::vector<RawValue> row_;
};

}  // namespace detail

// Texts are as they are, numbers in the fewest digits ("1.50" and 1.5e0 are 1.5), true and false
// words; null, and a key that is not there, are missing; lists are bags. Empty lines are skipped.
class JsonLinesReader final : public RowReader {
 public:
  // Of the columns that are given, or of all that rows have: columns() and rows then grow with
  // those that come for the first time. `name` stands for the stream in errors; a line has at most
  // max_line bytes. Throws ConfigError for a column twice, FileError for a stream that has failed.
  PLAIT_COLD JsonLinesReader(std::istream& stream, std::string name,
                             std::vector<std::string> columns = {}, Index max_line = Index{1} << 24)
      : lines_(stream, std::move(name), static_cast<std::size_t>(max_line)),
        row_(std::move(columns)) {
    require_config(max_line >= 1, "JsonLinesReader", "max_line", text(max_line), "1 or more");
  }

  std::span<const std::string> columns() const override { return row_.columns(); }
  RawRow row() const override { return row_.row(); }
  const std::string& name() const override { return lines_.name(); }
  Index line() const override { return lines_.line(); }

  bool next() override {
    do
      if (!lines_.next()) return false;
    while (lines_.record().find_first_not_of(" \t\r") == std::string_view::npos);
    row_.parse(lines_.record(), *this);
    return true;
  }

 private:
  detail::LineReader lines_;
  detail::JsonRow row_;
};

}  // namespace plait
