#include "row_file.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "plait/core/csv.hpp"
#include "plait/io/csv_reader.hpp"
#include "plait/io/json_lines_reader.hpp"
#include "text_file.hpp"

namespace ranker {

FileKind kind_of(const std::string& path) {
  const auto stream = open_text(path);
  std::string first(std::size_t{1} << 16, '\0');
  stream->read(first.data(), static_cast<std::streamsize>(first.size()));
  first.resize(static_cast<std::size_t>(stream->gcount()));
  std::string_view line = first;
  if (line.starts_with(plait::byte_order_mark)) line.remove_prefix(plait::byte_order_mark.size());
  line.remove_prefix(std::min(line.find_first_not_of(" \t\r\n"), line.size()));
  if (line.starts_with('{')) return FileKind::json_lines;
  line = line.substr(0, line.find_first_of("\r\n"));
  const std::string_view income = line.substr(line.rfind(',') + 1);
  const bool is_income =
      income.find("- 50000") != income.npos || income.find("50000+") != income.npos;
  return is_income && std::ranges::count(line, ',') == 41 ? FileKind::census : FileKind::table;
}

RowFile::RowFile(const std::string& path, FileKind kind, std::vector<std::string> columns)
    : stream_(open_text(path)) {
  if (kind == FileKind::json_lines)
    reader_ = std::make_unique<plait::JsonLinesReader>(*stream_, path, std::move(columns));
  else
    reader_ = std::make_unique<plait::CsvReader>(*stream_, path);
}

}  // namespace ranker
