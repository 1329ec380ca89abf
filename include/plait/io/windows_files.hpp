// AtomicFile and DirectoryLock under Windows, by what its C library has. They do and throw what
// those for POSIX do (io/atomic_file.hpp, io/directory_lock.hpp), with these differences: a link is
// replaced by the file, permissions are the directory's, no directory is synced, a file that is
// open anywhere cannot be replaced (FileError), and names are in ASCII.
#pragma once
#ifdef _WIN32
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <share.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "plait/core/error.hpp"
#include "plait/io/error.hpp"

namespace plait {

namespace detail {

// Opened for writing, for this process alone to write to and, unless `others` may, to read.
class WindowsFile {
 public:
  WindowsFile(const std::filesystem::path& path, int flags, bool others_read) {
    constexpr int always = _O_CREAT | _O_BINARY | _O_NOINHERIT;
    error_ = ::_wsopen_s(&file_, path.c_str(), flags | always,
                         others_read ? _SH_DENYWR : _SH_DENYRW, _S_IREAD | _S_IWRITE);
    constexpr unsigned long sharing_violation = 32;  // ERROR_SHARING_VIOLATION of <winerror.h>
    in_use_ = error_ != 0 && _doserrno == sharing_violation;
  }
  WindowsFile(const WindowsFile&) = delete;
  WindowsFile& operator=(const WindowsFile&) = delete;
  ~WindowsFile() { close(); }

  bool is_open() const { return file_ >= 0; }
  int error() const { return error_; }        // of opening it; 0: none
  bool is_in_use() const { return in_use_; }  // by another, which is why it could not be opened

  // These return whether they succeeded, errno telling why not.
  bool write(std::span<const std::byte> bytes) {
    constexpr std::size_t most_at_once = std::size_t{1} << 30;
    while (!bytes.empty()) {
      const auto count = static_cast<unsigned>((std::min)(bytes.size(), most_at_once));
      const int written = ::_write(file_, bytes.data(), count);
      if (written <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
  }
  bool sync() { return ::_commit(file_) == 0; }
  bool close() { return file_ < 0 || ::_close(std::exchange(file_, -1)) == 0; }

 private:
  int file_ = -1;
  int error_ = 0;
  bool in_use_ = false;
};

}  // namespace detail

class AtomicFile {
 public:
  // All throw FileError, which names the path as it was given.
  PLAIT_COLD explicit AtomicFile(std::string path)
      : path_(std::move(path)),
        partial_(refuse_what_is_no_file(path_) + ".partial"),
        file_(partial_, _O_WRONLY | _O_TRUNC, /*others_read=*/false) {
    if (file_.is_in_use())
      throw FileError(path_, "write", "a .partial file that is being written",
                      "one writer at a time");
    if (!file_.is_open()) fail(file_.error(), "a file that can be created");
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (file_.is_open()) remove_partial();
  }

  void write(std::span<const std::byte> bytes) {
    if (!file_.write(bytes)) fail(errno, "a file that takes all bytes");
  }

  // Once, last.
  PLAIT_COLD void commit() {
    if (!file_.sync()) fail(errno, "a file that reaches the disk");
    if (!file_.close()) fail(errno, "a file that can be closed");
    std::error_code error;
    std::filesystem::rename(partial_, path_, error);
    if (!error) return;
    remove_partial();
    throw FileError(path_, "write", error.message(), "a path that can be replaced");
  }

 private:
  PLAIT_COLD static const std::string& refuse_what_is_no_file(const std::string& path) {
    std::error_code ignored;
    const auto status = std::filesystem::status(path, ignored);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
      throw FileError(path, "write",
                      std::filesystem::is_directory(status) ? "a directory" : "no regular file",
                      "a regular file, or none yet");
    return path;
  }
  void remove_partial() {
    file_.close();
    std::error_code ignored;
    std::filesystem::remove(partial_, ignored);
  }
  [[noreturn]] PLAIT_COLD void fail(int error, const char* expected) const {
    throw FileError(path_, "write", std::strerror(error), expected);
  }

  std::string path_;
  std::string partial_;
  detail::WindowsFile file_;
};

class DirectoryLock {
 public:
  // Throws FileError when another holds the lock, telling which process, and for a file of this
  // name that cannot be opened.
  DirectoryLock(const std::string& directory, const char* name)
      : file_(std::filesystem::path(directory) / name, _O_RDWR, /*others_read=*/true) {
    if (file_.is_in_use())
      throw FileError(directory, name,
                      "a lock of process " + number(std::filesystem::path(directory) / name),
                      "a directory that no other program uses");
    if (!file_.is_open())
      throw FileError(directory, name, std::strerror(file_.error()), "a file that can be locked");
    // Digits for people, of one width so that nothing of an earlier number stays.
    std::string line = text(::_getpid());
    line.append(line.size() < 10 ? 10 - line.size() : 0, ' ');
    file_.write(std::as_bytes(std::span(line += '\n')));
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  static std::string number(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::string digits;
    return file >> digits ? digits : "(unknown)";
  }

  detail::WindowsFile file_;
};

}  // namespace plait
#endif
