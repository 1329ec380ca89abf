// Files on every system, Windows too: AtomicFile and DirectoryLock. What POSIX has beyond this:
// atomic_file_test.cpp.
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>

#include "plait/io/atomic_file.hpp"
#include "plait/io/directory_lock.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

using Catch::Matchers::ContainsSubstring;
using plait::AtomicFile;
using plait::DirectoryLock;
using plait::FileError;

namespace {

void write(AtomicFile& file, const std::string& bytes) {
  file.write(std::as_bytes(std::span(bytes)));
}

}  // namespace

TEST_CASE("files: one appears complete or not at all, and is replaced so") {
  const files::Directory directory;
  const std::string path = directory / "file";
  {
    AtomicFile file(path);
    write(file, "half");
    CHECK_FALSE(std::filesystem::exists(path));
  }
  CHECK(std::filesystem::is_empty(directory.path()));
  for (const std::string& bytes :
       {std::string("a\nb\r\n\0\x1a", 8), std::string(3000000, 'x'), std::string()}) {
    AtomicFile file(path);
    write(file, bytes);
    file.commit();
    CHECK(files::contents(path) == bytes);
  }
  CHECK_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST_CASE("files: a .partial file that was left behind is replaced") {
  const files::Directory directory;
  files::write(directory / "file.partial", "what a killed program has left");
  AtomicFile file(directory / "file");
  write(file, "new");
  file.commit();
  CHECK(files::contents(directory / "file") == "new");
}

TEST_CASE("files: a second writer is refused, and the first goes on") {
  const files::Directory directory;
  const std::string path = directory / "file";
  AtomicFile first(path);
  write(first, "first");
  CHECK_THROWS_WITH(AtomicFile(path), ContainsSubstring("a .partial file that is being written"));
  first.commit();
  CHECK(files::contents(path) == "first");
  CHECK_NOTHROW(AtomicFile(path));
}

TEST_CASE("files: what cannot be written is told") {
  const files::Directory directory;
  CHECK_THROWS_AS(AtomicFile(directory / "none/file"), FileError);
  CHECK_THROWS_WITH(AtomicFile(directory.path()), ContainsSubstring("a directory"));
}

TEST_CASE("files: a directory is one program's until its lock goes") {
  const files::Directory directory;
  auto lock = std::make_unique<DirectoryLock>(directory.path(), "lock");
  std::string number;
  std::ifstream(directory / "lock") >> number;
  CHECK_FALSE(number.empty());
  CHECK_THROWS_WITH(DirectoryLock(directory.path(), "lock"),
                    ContainsSubstring("a lock of process " + number));
  lock.reset();
  CHECK_NOTHROW(DirectoryLock(directory.path(), "lock"));
  std::filesystem::create_directory(directory / "other");
  CHECK_THROWS_AS(DirectoryLock(directory.path(), "other"), FileError);
}
