// DirectoryLock: one program at a time in a directory. This is for POSIX; what is different under
// Windows: io/windows_files.hpp.
#pragma once
#ifdef _WIN32
#include "plait/io/windows_files.hpp"
#else
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "plait/core/error.hpp"
#include "plait/io/error.hpp"

namespace plait {

// Holds a lock on {directory}/{name}, a file that holds the number of the process and stays behind.
// The system releases the lock with the process, however that ends, so that nothing needs to be
// cleared up after a crash. Where files cannot be locked (some network file systems, a directory
// that may only be read) nothing is held. Another user's file is locked as well; it then holds the
// number of the last process that could write to it.
class DirectoryLock {
 public:
  // Throws FileError when another holds the lock, telling which process, for a file of this name
  // that is none, and for one that may be neither written nor read.
  DirectoryLock(const std::string& directory, const char* name) {
    const std::string path = (std::filesystem::path(directory) / name).string();
    constexpr int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | flags, 0666);
    if (file_ < 0 && errno == EACCES && may_write(directory)) {
      // The file is there, of another user: a lock needs no right to write.
      file_ = ::open(path.c_str(), O_RDONLY | flags);
      if (file_ < 0) throw FileError(directory, name, std::strerror(errno), "a file to lock");
    }
    if (file_ < 0) {
      if (errno == EACCES || errno == EROFS || errno == EPERM) return;
      throw FileError(directory, name, std::strerror(errno), "a file that can be locked");
    }
    struct ::stat status {};
    if (::fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) {
      close();
      throw FileError(directory, name, "no regular file", "a file that can be locked");
    }
    if (::flock(file_, LOCK_EX | LOCK_NB) == 0) {
      write_number();
    } else {
      const bool held = errno == EWOULDBLOCK;
      const std::string holder = held ? read_number() : "";
      close();
      if (held)
        throw FileError(directory, name, "a lock of process " + holder,
                        "a directory that no other program uses");
    }
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  ~DirectoryLock() { close(); }

 private:
  static bool may_write(const std::string& directory) {
    const int before = errno;
    const bool may = ::faccessat(AT_FDCWD, directory.c_str(), W_OK, AT_EACCESS) == 0;
    errno = before;
    return may;
  }
  void close() {
    if (file_ >= 0) ::close(std::exchange(file_, -1));
  }
  // For people; the lock holds without it.
  void write_number() const {
    const std::string line = text(::getpid(), "\n");
    if (::ftruncate(file_, 0) == 0) [[maybe_unused]]
      const ::ssize_t written = ::pwrite(file_, line.data(), line.size(), 0);
  }
  std::string read_number() const {
    std::array<char, 24> bytes;
    const ::ssize_t count = ::pread(file_, bytes.data(), bytes.size(), 0);
    std::string_view number(bytes.data(), static_cast<std::size_t>(count > 0 ? count : 0));
    number = number.substr(0, number.find_first_not_of("0123456789"));
    return number.empty() ? "(unknown)" : std::string(number);
  }

  int file_ = -1;
};

}  // namespace plait
#endif
