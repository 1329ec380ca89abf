#include "text_file.hpp"

#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <streambuf>
#include <vector>

#include "errors.hpp"

namespace ranker {
namespace {

struct CloseGzip {
  void operator()(gzFile file) const { gzclose(file); }
};

class GzipBuffer final : public std::streambuf {
 public:
  explicit GzipBuffer(const std::string& path)
      : path_(path), file_(gzopen(path.c_str(), "rb")), block_(std::size_t{1} << 16) {
    if (!file_) throw DataError(path + ": " + std::strerror(errno));
  }

 private:
  int_type underflow() override {
    const int count = gzread(file_.get(), block_.data(), static_cast<unsigned>(block_.size()));
    // A file that stops in the middle of a member ends like any other; only gzerror tells.
    int error = Z_OK;
    const char* message = gzerror(file_.get(), &error);
    if (count < 0 || error == Z_BUF_ERROR)
      throw DataError(path_ + ": " + (error == Z_ERRNO ? std::strerror(errno) : message));
    setg(block_.data(), block_.data(), block_.data() + count);
    return count == 0 ? traits_type::eof() : traits_type::to_int_type(block_.front());
  }

  std::string path_;
  std::unique_ptr<gzFile_s, CloseGzip> file_;
  std::vector<char> block_;
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
