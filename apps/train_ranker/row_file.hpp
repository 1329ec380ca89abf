// Files that --data takes, told apart by what they begin with.
#pragma once
#include <istream>
#include <memory>
#include <string>
#include <vector>

#include "plait/io/row_reader.hpp"

namespace ranker {

// Census-Income's rows have no header, 42 fields and an income as the last; JSON lines begin with a
// brace. Anything else is a table with a header, its fields separated by commas, semicolons or
// tabs.
enum class FileKind { census, json_lines, table };

// Throws DataError as open_text does.
FileKind kind_of(const std::string& path);

// Rows from their start.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual plait::RowReader& reader() = 0;
};

// A file of rows, plain or gzip.
class RowFile final : public RowSource {
 public:
  // JSON lines are read for these columns, or for all that come when there are none. Throws as
  // open_text and plait's readers do.
  RowFile(const std::string& path, FileKind kind, std::vector<std::string> columns = {});

  plait::RowReader& reader() override { return *reader_; }

 private:
  std::unique_ptr<std::istream> stream_;
  std::unique_ptr<plait::RowReader> reader_;
};

}  // namespace ranker
