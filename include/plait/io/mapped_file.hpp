// MappedFile: a file's bytes as memory, read from it when they are first looked at, page by page.
#pragma once
#include "plait/core/config.hpp"
#include "plait/io/error.hpp"
#include "plait/sparse/large_array.hpp"

#ifdef PLAIT_HAS_MMAP  // of large_array.hpp
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <istream>
#include <span>
#include <streambuf>
#include <string>
#include <system_error>

namespace plait {

// What is written to the bytes is this process's alone and never reaches the file. A file that is
// replaced, as AtomicFile does, stays as it was for who has mapped it; one that is written to in
// place changes under them, and one that is cut short ends them (SIGBUS) when they read on.
class MappedFile {
 public:
  // Throws FileError when the file cannot be mapped or is none (a directory, a pipe, a device).
  PLAIT_COLD explicit MappedFile(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) throw FileError(path, "file", "none that can be opened", "a readable file");
    struct stat status {};
    void* memory = nullptr;
    int error = 0;
    if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
      size_ = static_cast<std::size_t>(status.st_size);
      int flags = MAP_PRIVATE;
#ifdef MAP_NORESERVE
      flags |= MAP_NORESERVE;  // few pages will be written to
#endif
      memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, flags, file, 0);
      error = memory == MAP_FAILED ? errno : 0;
    }
    ::close(file);
    if (error != 0)
      throw FileError(path, "file", std::generic_category().message(error), "one that is mapped");
    if (memory == nullptr)
      throw FileError(path, "file", "an empty one, a directory, pipe or device", "a regular file");
    data_ = static_cast<std::byte*>(memory);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  PLAIT_COLD ~MappedFile() { ::munmap(data_, size_); }

  std::span<std::byte> bytes() { return {data_, size_}; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Reads bytes in memory as a stream that can be searched.
class MemoryStream : private std::streambuf, public std::istream {
 public:
  explicit MemoryStream(std::span<std::byte> bytes)
      : std::istream(static_cast<std::streambuf*>(this)) {
    char* const begin = reinterpret_cast<char*>(bytes.data());
    setg(begin, begin, begin + bytes.size());
  }

 private:
  std::streampos seekoff(std::streamoff offset, std::ios::seekdir from,
                         std::ios::openmode which) override {
    const std::streamoff base = from == std::ios::beg   ? 0
                                : from == std::ios::cur ? gptr() - eback()
                                                        : egptr() - eback();
    return seekpos(base + offset, which);
  }
  std::streampos seekpos(std::streampos position, std::ios::openmode) override {
    const std::streamoff offset = position;
    if (offset < 0 || offset > egptr() - eback()) return std::streamoff{-1};
    setg(eback(), eback() + offset, egptr());
    return position;
  }
};

}  // namespace plait
#endif
