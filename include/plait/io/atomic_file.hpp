// AtomicFile: a file that appears complete or not at all, whenever the program or the machine
// stops. This is for POSIX; what is different under Windows: io/windows_files.hpp.
//
// Bytes go to {path}.partial; commit syncs it to the disk, renames it over the path and syncs the
// directory. Until then the path holds what it held before. What a killed program leaves behind is
// that .partial file, which the next write of the same path replaces.
//
// A path that is a link stands for what it points to, there or not yet, and the link stays. A file
// that is replaced hands its permissions on. What is neither a file nor a link to one (a directory,
// a device, a pipe, a socket) is refused: a rename would remove it.
//
// One writer per path at a time: a second one is refused while the first lives, where the file
// system has locks (flock), and where a .partial file cannot be opened to see (another user's).
#pragma once
#ifdef _WIN32
#include "plait/io/windows_files.hpp"
#else
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
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
  // All throw FileError, which names the path as it was given.
  PLAIT_COLD explicit AtomicFile(std::string path)
      : path_(std::move(path)), target_(follow(path_)), partial_(target_ + ".partial") {
    struct ::stat old;
    const bool exists = ::stat(target_.c_str(), &old) == 0;
    if (!exists && errno != ENOENT) fail("a file that can be created");
    if (exists && !S_ISREG(old.st_mode))
      throw FileError(path_, "write", S_ISDIR(old.st_mode) ? "a directory" : "no regular file",
                      "a regular file, or none yet");
    remove_leftover();
    // Not what somebody else puts there meanwhile; and nobody may read more than the old file.
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    file_ = ::open(partial_.c_str(), flags, exists ? 0600 : 0666);
    if (file_ < 0) fail("a file that can be created");
    ::flock(file_, LOCK_EX | LOCK_NB);
    constexpr ::mode_t permissions = S_IRWXU | S_IRWXG | S_IRWXO;
    if (exists && ::fchmod(file_, old.st_mode & permissions) != 0)
      discard("a file with the permissions of the one that it replaces");
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (file_ >= 0) remove_partial();
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
  PLAIT_COLD void commit() {
    if (::fsync(file_) != 0) fail("a file that reaches the disk");
    if (!is_ours())
      throw FileError(path_, "write", "a .partial file of somebody else's", "one writer at a time");
    // Renamed while it is locked, so that no second writer takes it for a leftover.
    if (std::rename(partial_.c_str(), target_.c_str()) != 0) discard("a path that can be replaced");
    if (::close(std::exchange(file_, -1)) != 0) fail("a file that can be closed");
    sync_directory();
  }

 private:
  // What a chain of links ends at; only its last part need not exist.
  PLAIT_COLD static std::string follow(const std::string& path) {
    namespace fs = std::filesystem;
    constexpr int most_links = 40;  // as Linux
    fs::path at = path;
    std::error_code error;
    for (int links = 0; fs::is_symlink(fs::symlink_status(at, error)); ++links) {
      const fs::path to = links < most_links ? fs::read_symlink(at, error) : fs::path();
      if (to.empty())
        throw FileError(path, "write", error ? error.message() : "a circle of links",
                        "links that lead to a file");
      at = at.parent_path() / to;  // an absolute `to` alone
    }
    return at.string();
  }

  // Throws unless the .partial file, if there is one, was left behind by a writer that has ended.
  PLAIT_COLD void remove_leftover() const {
    constexpr int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int leftover = ::open(partial_.c_str(), O_RDONLY | flags);
    if (leftover < 0 && errno == EACCES) leftover = ::open(partial_.c_str(), O_WRONLY | flags);
    if (leftover < 0 && errno == ENOENT) return;
    // What is no file has no writer: a link, a socket. Of a file that cannot be opened, another
    // user's say, nobody knows.
    struct ::stat named;
    if (leftover < 0) {
      const int cause = errno;
      const bool is_file = ::lstat(partial_.c_str(), &named) != 0 || S_ISREG(named.st_mode);
      errno = cause;
      if (is_file) fail("a .partial file whose writer is known to have ended");
    }
    if (leftover >= 0) {
      const bool busy = ::flock(leftover, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
      ::close(leftover);
      if (busy)
        throw FileError(path_, "write", "a .partial file that is being written",
                        "one writer at a time");
    }
    if (::unlink(partial_.c_str()) != 0 && errno != ENOENT) fail("a .partial file to replace");
  }

  // Whether the .partial file is the one that was created.
  bool is_ours() const {
    struct ::stat created, named;
    return ::fstat(file_, &created) == 0 && ::lstat(partial_.c_str(), &named) == 0 &&
           created.st_dev == named.st_dev && created.st_ino == named.st_ino;
  }
  void remove_partial() {
    if (is_ours()) ::unlink(partial_.c_str());
    ::close(std::exchange(file_, -1));
  }

  [[noreturn]] PLAIT_COLD void fail(const char* expected) const {
    throw FileError(path_, "write", std::strerror(errno), expected);
  }
  [[noreturn]] PLAIT_COLD void discard(const char* expected) {
    const int cause = errno;
    remove_partial();
    errno = cause;
    fail(expected);
  }

  // The rename is durable only when the directory is; some file systems cannot sync one (EINVAL).
  void sync_directory() const {
    const auto parent = std::filesystem::path(target_).parent_path();
    const int directory =
        ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) fail("a directory that can be opened");
    const int cause = ::fsync(directory) == 0 ? 0 : errno;
    ::close(directory);
    errno = cause;
    if (cause != 0 && cause != EINVAL) fail("a directory that reaches the disk");
  }

  std::string path_;
  std::string target_;   // what path_ leads to
  std::string partial_;  // beside it
  int file_ = -1;
};

}  // namespace plait
#endif
