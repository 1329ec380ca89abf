// AtomicFile: a file that appears complete or not at all, whenever the program or the machine
// stops (POSIX).
//
// Bytes go to {path}.partial; commit syncs it to the disk, renames it over the path and syncs the
// directory. Until then the path holds what it held before. What a killed program leaves behind is
// that .partial file, which the next write of the same path replaces. One writer per path at a
// time.
#pragma once
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "plait/io/error.hpp"

namespace plait {

class AtomicFile {
 public:
  // All throw FileError.
  explicit AtomicFile(std::string path) : path_(std::move(path)), partial_(path_ + ".partial") {
    file_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file_ < 0) fail("a file that can be created");
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (file_ < 0) return;
    ::close(file_);
    ::unlink(partial_.c_str());
  }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ::ssize_t written = ::write(file_, bytes.data(), bytes.size());
      if (written >= 0)
        bytes = bytes.subspan(static_cast<std::size_t>(written));
      else if (errno != EINTR)
        fail("a file that takes all bytes");
    }
  }

  // Once, last.
  void commit() {
    if (::fsync(file_) != 0) fail("a file that reaches the disk");
    if (::close(std::exchange(file_, -1)) != 0) discard("a file that can be closed");
    if (std::rename(partial_.c_str(), path_.c_str()) != 0) discard("a path that can be replaced");
    sync_directory();
  }

 private:
  [[noreturn]] void fail(const char* expected) const {
    throw FileError(path_, "write", std::strerror(errno), expected);
  }
  [[noreturn]] void discard(const char* expected) const {
    const int cause = errno;
    ::unlink(partial_.c_str());
    errno = cause;
    fail(expected);
  }

  // The rename is durable only when the directory is; some file systems cannot sync one (EINVAL).
  void sync_directory() const {
    const auto parent = std::filesystem::path(path_).parent_path();
    const int directory =
        ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) fail("a directory that can be opened");
    const int cause = ::fsync(directory) == 0 ? 0 : errno;
    ::close(directory);
    errno = cause;
    if (cause != 0 && cause != EINVAL) fail("a directory that reaches the disk");
  }

  std::string path_;
  std::string partial_;
  int file_ = -1;
};

}  // namespace plait
