// Records of a text stream: its bytes from one block after the other, in one piece per record.
#pragma once
#include <cstddef>
#include <cstring>
#include <istream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"
#include "plait/io/error.hpp"

namespace plait::detail {

class LineReader {
 public:
  // A byte order mark at the start is skipped. A record has at most `most` bytes. Throws FileError
  // for a stream that has failed.
  LineReader(std::istream& stream, std::string name, std::size_t most)
      : stream_(stream), name_(std::move(name)), most_(most), block_(first_block) {
    if (stream_.fail())
      throw FileError(name_, "file", "none that can be opened", "a readable file");
  }

  const std::string& name() const { return name_; }
  // Of the record's first byte, from 1.
  Index line() const { return line_; }

  // The next line without its end (\n or \r\n), to be written to; false at the end. It is valid
  // until the next call. Throws FormatError for one that is too long, FileError.
  bool next() {
    begin_ = end_;
    line_ += lines_;
    lines_ = 0;
    if (at_start_) skip_mark();
    size_ = 0;
    return extend();
  }
  // Makes the record one line longer, up to the end of the stream: false if it ends there already.
  bool extend() {
    const std::size_t before = end_ - begin_;
    std::size_t searched = end_;
    const char* newline = nullptr;
    while ((newline = find_newline(searched)) == nullptr) {
      if (filled_ - begin_ > most_) refuse();
      searched = filled_ - begin_;
      if (!fill()) break;
      searched += begin_;
    }
    const std::size_t after =
        newline != nullptr ? static_cast<std::size_t>(newline - block_.data()) + 1 : filled_;
    if (after - begin_ == before) return false;
    end_ = after;
    ++lines_;
    size_ = end_ - begin_;
    if (newline != nullptr) {
      --size_;
      if (size_ > 0 && block_[begin_ + size_ - 1] == '\r') --size_;
    }
    if (size_ > most_) refuse();
    return true;
  }

  // The record, without the end of its last line; with it; writable.
  std::string_view record() const { return {block_.data() + begin_, size_}; }
  std::string_view whole() const { return {block_.data() + begin_, end_ - begin_}; }
  char* data() { return block_.data() + begin_; }

 private:
  const char* find_newline(std::size_t from) const {
    return static_cast<const char*>(std::memchr(block_.data() + from, '\n', filled_ - from));
  }

  // More bytes behind those of the record, which move to the front; false at the end.
  bool fill() {
    if (ended_) return false;
    if (begin_ > 0) {
      std::memmove(block_.data(), block_.data() + begin_, filled_ - begin_);
      end_ -= begin_;
      filled_ -= begin_;
      begin_ = 0;
    }
    if (filled_ == block_.size()) block_.resize(2 * block_.size());
    const std::size_t room = block_.size() - filled_;
    stream_.read(block_.data() + filled_, static_cast<std::streamsize>(room));
    const auto count = static_cast<std::size_t>(stream_.gcount());
    if (stream_.bad()) throw FileError(name_, "read", "an error of the stream", "bytes");
    filled_ += count;
    ended_ = count < room;
    return count > 0;
  }

  void skip_mark() {
    at_start_ = false;
    while (filled_ < byte_order_mark.size() && fill()) {
    }
    if (std::string_view(block_.data(), filled_).starts_with(byte_order_mark))
      begin_ = end_ = byte_order_mark.size();
  }

  [[noreturn]] PLAIT_COLD void refuse() const {
    throw FormatError(text(name_, ":", line_), "line", text("more than ", most_, " bytes"),
                      "fewer");
  }

  static constexpr std::size_t first_block = std::size_t{1} << 18;

  std::istream& stream_;
  std::string name_;
  std::size_t most_;
  std::vector<char> block_;
  std::size_t begin_ = 0, end_ = 0, filled_ = 0;  // of the record, and of what is read
  std::size_t size_ = 0;
  Index line_ = 1, lines_ = 0;
  bool at_start_ = true, ended_ = false;
};

}  // namespace plait::detail
