// RawRows: raw rows that own their texts, those of a request or of a file's self-test.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/features/raw_value.hpp"

namespace plait {

// Cleared and filled again, it allocates only beyond what it held.
class RawRows {
 public:
  explicit RawRows(std::size_t columns = 0) : columns_(columns) {}

  std::size_t columns() const { return columns_; }
  Index size() const { return size_; }
  // Texts of all values, each item of a list counted.
  std::size_t texts() const { return texts_.size(); }

  void clear() {
    size_ = 0;
    bytes_.clear();
    texts_.clear();
    cells_.clear();
  }

  // Appends a copy. Throws ShapeError for a row of another width.
  void add(RawRow row) {
    if (row.size() != columns_)
      throw ShapeError("RawRows", "row", text(row.size(), " values"), text(columns_));
    begin_row();
    for (std::size_t c = 0; c < columns_; ++c) {
      if (row[c].is_text()) set(c, row[c].text());
      if (!row[c].is_list()) continue;
      begin_list(c);
      for (const std::string_view item : row[c].list()) add_item(item);
    }
  }

  // Appends a row whose values are missing, to be set once each: to a text, or to a list, whose
  // items are added before the next value is set.
  void begin_row() {
    cells_.resize(cells_.size() + columns_);
    ++size_;
  }
  void set(std::size_t column, std::string_view value) {
    add_text(value);
    last(column) = {Cell::text, texts_.size() - 1, 1};
  }
  void begin_list(std::size_t column) {
    list_ = cells_.size() - columns_ + column;
    cells_[list_] = {Cell::list, texts_.size(), 0};
  }
  void add_item(std::string_view item) {
    add_text(item);
    ++cells_[list_].count;
  }

  // Whether a row has a value in a column.
  bool has(Index row, std::size_t column) const {
    return cells_[static_cast<std::size_t>(row) * columns_ + column].kind != Cell::missing;
  }

  // Valid until the next call, or until rows are added or cleared.
  RawRow row(Index i) {
    items_.clear();
    const auto cells = std::span(cells_).subspan(static_cast<std::size_t>(i) * columns_, columns_);
    for (const Cell& cell : cells)
      for (std::size_t t = 0; cell.kind == Cell::list && t < cell.count; ++t)
        items_.push_back(view(cell.first + t));
    values_.assign(columns_, {});
    std::size_t item = 0;
    for (std::size_t c = 0; c < columns_; ++c) {
      if (cells[c].kind == Cell::text) values_[c] = view(cells[c].first);
      if (cells[c].kind != Cell::list) continue;
      values_[c] = std::span<const std::string_view>(items_).subspan(item, cells[c].count);
      item += cells[c].count;
    }
    return values_;
  }

 private:
  struct Cell {
    enum Kind { missing, text, list };
    Kind kind = missing;
    std::size_t first = 0;  // of its texts
    std::size_t count = 0;
  };
  struct Text {
    std::size_t begin, size;  // in bytes_
  };

  Cell& last(std::size_t column) { return cells_[cells_.size() - columns_ + column]; }
  void add_text(std::string_view value) {
    const std::size_t begin = bytes_.size();
    bytes_ += value;
    texts_.push_back({begin, value.size()});
  }
  std::string_view view(std::size_t t) const {
    return std::string_view(bytes_).substr(texts_[t].begin, texts_[t].size);
  }

  std::size_t columns_;
  Index size_ = 0;
  std::string bytes_;
  std::vector<Text> texts_;
  std::vector<Cell> cells_;  // [rows, columns]
  std::size_t list_ = 0;     // the cell whose items are added
  std::vector<std::string_view> items_;
  std::vector<RawValue> values_;
};

}  // namespace plait
