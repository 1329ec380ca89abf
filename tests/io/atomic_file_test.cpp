#include "plait/io/atomic_file.hpp"

#include <sys/resource.h>

#include <csignal>
#include <string>

#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

std::size_t entries(const files::Directory& directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory.path()))
    ++count;
  return count;
}

}  // namespace

TEST_CASE("atomic file: complete after commit, and alone") {
  const files::Directory directory;
  const std::string path = directory / "file";
  files::write(path, "old");
  {
    plait::AtomicFile file(path);
    file.write(bytes("new "));
    file.write(bytes("text"));
    CHECK(files::contents(path) == "old");
    file.commit();
  }
  CHECK(files::contents(path) == "new text");
  CHECK(entries(directory) == 1);
}

TEST_CASE("atomic file: without commit the old file stays") {
  const files::Directory directory;
  const std::string path = directory / "file";
  files::write(path, "old");
  {
    plait::AtomicFile file(path);
    file.write(bytes("new"));
  }
  CHECK(files::contents(path) == "old");
  CHECK(entries(directory) == 1);
}

TEST_CASE("atomic file: what a killed program left behind is replaced") {
  const files::Directory directory;
  const std::string path = directory / "file";
  files::write(path + ".partial", "half a file that is longer");
  plait::AtomicFile file(path);
  file.write(bytes("new"));
  file.commit();
  CHECK(files::contents(path) == "new");
}

TEST_CASE("atomic file: failures name the file and the reason") {
  CHECK_THROWS_WITH(plait::AtomicFile("/no/such/directory/file"),
                    "plait::/no/such/directory/file: write: got No such file or directory, "
                    "expected a file that can be created");
  const files::Directory directory;
  std::filesystem::create_directory(directory / "taken");
  plait::AtomicFile file(directory / "taken");
  CHECK_THROWS_AS(file.commit(), plait::FileError);
  CHECK(entries(directory) == 1);
}

TEST_CASE("atomic file: a full disk leaves the old file") {
  const files::Directory directory;
  const std::string path = directory / "file";
  files::write(path, "old");
  ::rlimit limit;
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  const ::rlimit small{100, limit.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto write = [&] {
    plait::AtomicFile file(path);
    file.write(bytes(std::string(1000, 'x')));
    file.commit();
  };
  CHECK_THROWS_WITH(write(), "plait::" + path +
                                 ": write: got File too large, expected a file that takes all "
                                 "bytes");
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, before);
  CHECK(files::contents(path) == "old");
  CHECK(entries(directory) == 1);
}
