#include "text_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <streambuf>
#include <utility>
#include <vector>

#include "errors.hpp"

namespace ranker {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// Inflates a gzip file's members one after the other, or passes on the bytes of any other file.
// zlib's own reader of files takes what follows the last member for nothing.
class GzipBuffer final : public std::streambuf {
 public:
  explicit GzipBuffer(const std::string& path)
      : path_(path), file_(std::fopen(path.c_str(), "rb")), packed_(block), text_(block) {
    if (!file_) fail(std::strerror(errno));
    constexpr int gzip_alone = 16;
    if (inflateInit2(&stream_, MAX_WBITS + gzip_alone) != Z_OK) fail("out of memory");
  }
  GzipBuffer(const GzipBuffer&) = delete;
  GzipBuffer& operator=(const GzipBuffer&) = delete;
  ~GzipBuffer() override { inflateEnd(&stream_); }

 private:
  enum class Place { start, plain, member, between_members };

  int_type underflow() override {
    std::size_t count = 0;
    while (count == 0) {
      if (stream_.avail_in == 0 && !fill()) {
        if (place_ == Place::member) fail("unexpected end of file");
        return traits_type::eof();
      }
      if (place_ == Place::start)
        place_ = packed_[0] == 0x1f && packed_[1] == 0x8b ? Place::member : Place::plain;
      if (place_ == Place::between_members) skip_padding();
      count = place_ == Place::plain ? copy() : inflate_more();
    }
    char* const first = reinterpret_cast<char*>(text_.data());
    setg(first, first, first + count);
    return traits_type::to_int_type(*first);
  }

  // False at the end of the file.
  bool fill() {
    packed_[1] = 0;  // of a file of one byte
    const std::size_t count = std::fread(packed_.data(), 1, packed_.size(), file_.get());
    if (std::ferror(file_.get()) != 0) fail(std::strerror(errno));
    stream_.next_in = packed_.data();
    stream_.avail_in = static_cast<unsigned>(count);
    return count > 0;
  }

  // Zeros, with which some programs fill the last block.
  void skip_padding() {
    while (stream_.avail_in > 0 && *stream_.next_in == 0) {
      ++stream_.next_in;
      --stream_.avail_in;
    }
    if (stream_.avail_in == 0) return;
    inflateReset(&stream_);
    place_ = Place::member;
  }

  std::size_t copy() {
    std::copy_n(packed_.begin(), stream_.avail_in, text_.begin());
    return std::exchange(stream_.avail_in, 0);
  }

  std::size_t inflate_more() {
    if (stream_.avail_in == 0) return 0;
    stream_.next_out = text_.data();
    stream_.avail_out = static_cast<unsigned>(text_.size());
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result == Z_STREAM_END) {
      place_ = Place::between_members;
      ++members_;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      const bool no_header = stream_.total_out == 0 && members_ > 0;
      fail(no_header                ? "bytes that are no gzip after the last of its gzip members"
           : stream_.msg != nullptr ? stream_.msg
                                    : zError(result));
    }
    return text_.size() - stream_.avail_out;
  }

  [[noreturn]] void fail(const std::string& what) const { throw DataError(path_ + ": " + what); }

  static constexpr std::size_t block = std::size_t{1} << 16;

  std::string path_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::vector<unsigned char> packed_, text_;
  z_stream stream_{};
  Place place_ = Place::start;
  int members_ = 0;
};

class TextFile final : public std::istream {
 public:
  explicit TextFile(const std::string& path) : std::istream(nullptr), buffer_(path) {
    rdbuf(&buffer_);
    exceptions(badbit);  // lets the buffer's DataError through
  }

 private:
  GzipBuffer buffer_;
};

}  // namespace

std::unique_ptr<std::istream> open_text(const std::string& path) {
  return std::make_unique<TextFile>(path);
}

}  // namespace ranker
