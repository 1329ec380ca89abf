#include "table.hpp"

#include <algorithm>

#include "plait/core/csv.hpp"

namespace ranker {
namespace {

using Row = std::vector<std::string>;

// Characters, not bytes: UTF-8 continuation bytes take no room.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string text_line(const Row& row, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t c = 0; c < row.size(); ++c) {
    const std::string padding(widths[c] - width_of(row[c]), ' ');
    line += c == 0 ? row[c] + padding : "  " + padding + row[c];
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

std::string csv_line(const Row& row) {
  std::string line;
  for (const std::string& cell : row) {
    if (&cell != &row.front()) line += ',';
    line += plait::csv_text(cell);
  }
  return line + "\r\n";
}

}  // namespace

std::string to_text(const Table& table) {
  std::vector<std::size_t> widths;
  for (const std::string& cell : table.header) widths.push_back(width_of(cell));
  for (const Row& row : table.rows)
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width_of(row[c]));

  std::string text = text_line(table.header, widths);
  std::size_t total = 0;
  for (const std::size_t width : widths) total += width + 2;
  text += std::string(std::max<std::size_t>(total, 2) - 2, '-') + '\n';
  for (const Row& row : table.rows) text += text_line(row, widths);
  return text;
}

std::string to_csv(const Table& table) {
  std::string text = csv_line(table.header);
  for (const Row& row : table.rows) text += csv_line(row);
  return text;
}

}  // namespace ranker
