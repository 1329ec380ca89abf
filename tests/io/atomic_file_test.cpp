#include "plait/io/atomic_file.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>

#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/other_user.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

void replace(const std::string& path, const std::string& text) {
  plait::AtomicFile file(path);
  file.write(bytes(text));
  file.commit();
}

::mode_t mode(const std::string& path) {
  struct ::stat status;
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode;
}

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
  const std::string taken = directory / "taken";
  std::filesystem::create_directory(taken);
  CHECK_THROWS_WITH(
      plait::AtomicFile(taken),
      "plait::" + taken + ": write: got a directory, expected a regular file, or none yet");
  {
    plait::AtomicFile file(directory / "taken later");
    std::filesystem::create_directory(directory / "taken later");
    CHECK_THROWS_AS(file.commit(), plait::FileError);
  }
  CHECK(entries(directory) == 2);
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

TEST_CASE("atomic file: a link stays, and what it leads to is replaced") {
  namespace fs = std::filesystem;
  const files::Directory directory;
  fs::create_directory(directory / "models");
  files::write(directory / "models/7", "old");
  fs::create_symlink("models/7", directory / "relative");
  fs::create_symlink(directory / "relative", directory / "of a link");
  fs::create_symlink("models/8", directory / "of nothing yet");
  for (const char* link : {"relative", "of a link", "of nothing yet"}) {
    CAPTURE(link);
    replace(directory / link, link);
    CHECK(fs::is_symlink(directory / link));
    CHECK(files::contents(directory / link) == link);
  }
  CHECK(files::contents(directory / "models/7") == "of a link");
  CHECK(files::contents(directory / "models/8") == "of nothing yet");

  fs::create_symlink("there", directory / "here");
  fs::create_symlink("here", directory / "there");
  CHECK_THROWS_WITH(replace(directory / "here", ""), ContainsSubstring("a circle of links"));
  fs::create_symlink("no/such", directory / "astray");
  CHECK_THROWS_WITH(replace(directory / "astray", ""),
                    ContainsSubstring("astray: write: got No such file or directory"));
}

TEST_CASE("atomic file: what is no file is refused and stays") {
  const files::Directory directory;
  const std::string pipe = directory / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const std::string socket = directory / "socket";
  const int listening = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ::sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(socket.size() < sizeof(address.sun_path));
  std::ranges::copy(socket, address.sun_path);
  REQUIRE(::bind(listening, reinterpret_cast<::sockaddr*>(&address), sizeof(address)) == 0);
  ::close(listening);
  std::filesystem::create_symlink("/dev/null", directory / "link to a device");

  const std::string link = directory / "link to a device";
  for (const std::string& path : {pipe, socket, link}) {
    const auto before = mode(path);
    CHECK_THROWS_WITH(
        replace(path, "model"),
        "plait::" + path + ": write: got no regular file, expected a regular file, or none yet");
    CHECK(mode(path) == before);
  }
  CHECK(S_ISCHR(mode("/dev/null")));
  CHECK(entries(directory) == 3);
}

TEST_CASE("atomic file: permissions stay, and are never wider meanwhile") {
  const files::Directory directory;
  const std::string path = directory / "file";
  for (const ::mode_t permissions : {0600u, 0640u, 0755u, 0400u}) {
    files::write(path, "old");
    REQUIRE(::chmod(path.c_str(), permissions) == 0);
    {
      plait::AtomicFile file(path);
      CHECK((mode(path + ".partial") & 0777) == permissions);
      file.commit();
    }
    CHECK((mode(path) & 0777) == permissions);
    std::filesystem::remove(path);
  }
  const ::mode_t mask = ::umask(027);
  replace(path, "new");
  ::umask(mask);
  CHECK((mode(path) & 0777) == 0640);
}

TEST_CASE("atomic file: the .partial file is one of its own") {
  const files::Directory directory;
  const std::string path = directory / "file";
  const std::string partial = path + ".partial";
  const std::string other = directory / "other";
  files::write(other, "of somebody else");
  std::filesystem::create_symlink("other", partial);
  replace(path, "new");
  CHECK(files::contents(other) == "of somebody else");
  CHECK_FALSE(std::filesystem::is_symlink(path));

  std::filesystem::create_hard_link(other, partial);
  replace(path, "newer");
  CHECK(files::contents(other) == "of somebody else");

  REQUIRE(::mkfifo(partial.c_str(), 0600) == 0);
  replace(path, "newest");
  CHECK(files::contents(path) == "newest");

  // Put there while it is written.
  plait::AtomicFile file(path);
  std::filesystem::remove(partial);
  files::write(partial, "half");
  CHECK_THROWS_WITH(file.commit(), "plait::" + path +
                                       ": write: got a .partial file of somebody else's, expected "
                                       "one writer at a time");
  CHECK(files::contents(path) == "newest");
  CHECK(files::contents(partial) == "half");
}

TEST_CASE("atomic file: a second writer is refused while the first lives") {
  const files::Directory directory;
  const std::string path = directory / "file";
  plait::AtomicFile first(path);
  first.write(bytes("first"));
  CHECK_THROWS_WITH(plait::AtomicFile(path),
                    "plait::" + path +
                        ": write: got a .partial file that is being written, expected one writer "
                        "at a time");
  first.commit();
  CHECK(files::contents(path) == "first");
  replace(path, "second");
  CHECK(files::contents(path) == "second");
}

TEST_CASE("atomic file: a .partial file that may not be opened is not taken for a leftover") {
  const files::Directory directory;
  const std::string path = directory / "file";
  const std::string partial = path + ".partial";
  files::write(path, "old");
  files::write(partial, "of one who may still write");
  REQUIRE(::chmod(directory.path().c_str(), 0777) == 0);
  REQUIRE(::chmod(path.c_str(), 0666) == 0);
  REQUIRE(::chmod(partial.c_str(), 0) == 0);
  {
    const OtherUser user;
    if (!user) {
      WARN("skipped: this user may not become another");
      return;
    }
    CHECK_THROWS_WITH(plait::AtomicFile(path),
                      "plait::" + path +
                          ": write: got Permission denied, expected a .partial file whose writer "
                          "is known to have ended");
  }
  CHECK(std::filesystem::exists(partial));
  CHECK(files::contents(path) == "old");
}

TEST_CASE("atomic file: without a file descriptor left a writer is not taken for ended") {
  const files::Directory directory;
  const std::string path = directory / "file";
  plait::AtomicFile first(path);
  first.write(bytes("first"));
  ::rlimit limit;
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const ::rlimit none{0, limit.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  std::string told;
  try {
    plait::AtomicFile second(path);
  } catch (const plait::FileError& error) {
    ::setrlimit(RLIMIT_NOFILE, &limit);  // the sanitizers need a descriptor to look at the error
    told = error.what();
  }
  ::setrlimit(RLIMIT_NOFILE, &limit);
  CHECK_THAT(told, ContainsSubstring("got Too many open files"));
  CHECK(std::filesystem::exists(path + ".partial"));
}

TEST_CASE("atomic file: a leftover that may be written and not read is replaced") {
  const files::Directory directory;
  const std::string path = directory / "file";
  files::write(path + ".partial", "half");
  REQUIRE(::chmod((path + ".partial").c_str(), 0222) == 0);
  REQUIRE(::chmod(directory.path().c_str(), 0777) == 0);
  const OtherUser user;
  replace(path, "new");
  CHECK(files::contents(path) == "new");
}
