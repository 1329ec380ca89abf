// Rows of a file, one after the other, whatever its format.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/features/column_error.hpp"
#include "plait/features/raw_value.hpp"
#include "plait/io/error.hpp"

namespace plait {

// Reads a stream that it borrows. Used by one thread at a time.
class RowReader {
 public:
  RowReader() = default;
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;
  virtual ~RowReader() = default;

  // The names of the values of a row. A reader of rows that name their values themselves may be
  // without columns to look for: it then adds those that it meets.
  virtual std::span<const std::string> columns() const = 0;
  // Goes to the next row; false at the end. Throws FormatError, naming file, line and column, for
  // what is no row; FileError when the stream fails.
  virtual bool next() = 0;
  // The row, valid until the next one.
  virtual RawRow row() const = 0;
  // What stands for the stream in errors, and the line in which the row begins, from 1.
  virtual const std::string& name() const = 0;
  virtual Index line() const = 0;

  // "file:line".
  std::string place() const { return text(name(), ":", line()); }
};

// What use() returns, of the row that the reader is at; a ColumnError of it becomes a FormatError
// that says where the value stands.
template <class Use>
decltype(auto) with_place(const RowReader& reader, const Use& use) {
  try {
    return use();
  } catch (const ColumnError& error) {
    throw FormatError(reader.place(), error.column(), error.got(), error.expected());
  }
}

}  // namespace plait
