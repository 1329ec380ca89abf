#include "table.hpp"

#include <algorithm>

#include "format.hpp"
#include "plait/core/csv.hpp"

namespace ranker {
namespace {

using Row = std::vector<std::string>;

// The cells of the first column and those from `begin` to `end`.
std::string text_line(const Row& row, const std::vector<std::size_t>& widths, std::size_t begin,
                      std::size_t end) {
  std::string line = row.front() + std::string(widths.front() - width_of(row.front()), ' ');
  for (std::size_t c = begin; c < end; ++c)
    line += "  " + std::string(widths[c] - width_of(row[c]), ' ') + row[c];
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

std::string to_text(const Table& table, int width) {
  std::vector<std::size_t> widths;
  for (const std::string& cell : table.header) widths.push_back(width_of(cell));
  for (const Row& row : table.rows)
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width_of(row[c]));

  std::string text;
  std::size_t begin = 1;
  do {
    std::size_t total = widths.front();
    std::size_t end = begin;
    const auto fits = [&] {
      return end == begin || total + 2 + widths[end] <= static_cast<std::size_t>(width);
    };
    for (; end < widths.size() && fits(); ++end) total += 2 + widths[end];
    if (begin > 1) text += '\n';
    text += text_line(table.header, widths, begin, end);
    text += std::string(total, '-') + '\n';
    for (const Row& row : table.rows) text += text_line(row, widths, begin, end);
    begin = end;
  } while (begin < widths.size());
  return text;
}

std::string to_csv(const Table& table) {
  std::string text = csv_line(table.header);
  for (const Row& row : table.rows) text += csv_line(row);
  return text;
}

}  // namespace ranker
