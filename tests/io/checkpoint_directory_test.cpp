// What a directory of checkpoints keeps, of which run, and who may write to it.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint_run.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/other_user.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using checkpoints::check_equal;
using checkpoints::Run;
using plait::Checkpoints;

std::string path_of(const files::Directory& directory, int number) {
  std::string digits = plait::text(number);
  digits.insert(0, 9 - digits.size(), '0');
  return directory / ("checkpoint-" + digits + ".safetensors");
}
// Checkpoints with these numbers.
std::vector<std::string> paths_of(const files::Directory& directory,
                                  const std::vector<int>& numbers) {
  std::vector<std::string> result;
  for (const int number : numbers) result.push_back(path_of(directory, number));
  return result;
}
void tear(const std::string& path) {
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
}

}  // namespace

TEST_CASE("checkpoint: a run that starts anew leaves the checkpoints of another") {
  const files::Directory directory;
  Run old;
  {
    Checkpoints checkpoints(directory.path(), 3);
    for (int i = 0; i < 3; ++i) {
      old.step();
      old.save(checkpoints);
    }
  }
  Run anew(plait::Adam{.learning_rate = 0.01});
  {
    Checkpoints checkpoints(directory.path(), 2);
    for (int i = 0; i < 5; ++i) {
      anew.step();
      anew.save(checkpoints);
    }
    CHECK(checkpoints.paths() == paths_of(directory, {1, 2, 3, 7, 8}));
  }
  // Nor does it take them for its own when it goes on.
  Run second(plait::Adam{.learning_rate = 0.01});
  Checkpoints checkpoints(directory.path(), 1);
  CHECK(second.resume(checkpoints).path == path_of(directory, 8));
  check_equal(second, anew);
  second.save(checkpoints);
  CHECK(checkpoints.paths() == paths_of(directory, {1, 2, 3, 9}));
}

TEST_CASE("checkpoint: a run that goes on removes its own older checkpoints") {
  const files::Directory directory;
  {
    Checkpoints checkpoints(directory.path(), 3);
    Run run;
    for (int i = 0; i < 3; ++i) run.save(checkpoints);
  }
  for (int i = 0; i < 2; ++i) {
    Checkpoints checkpoints(directory.path(), 3);
    Run run;
    REQUIRE(run.resume(checkpoints));
    run.save(checkpoints);
  }
  Checkpoints checkpoints(directory.path());
  CHECK(checkpoints.paths() == paths_of(directory, {3, 4, 5}));
}

TEST_CASE("checkpoint: torn files push out no whole ones") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path(), 3);
  Run run;
  for (int i = 0; i < 3; ++i) run.save(checkpoints);
  SECTION("torn while the run goes on") {
    tear(path_of(directory, 3));
    run.save(checkpoints);
    CHECK(checkpoints.paths() == paths_of(directory, {1, 2, 3, 4}));
    tear(path_of(directory, 4));
    run.save(checkpoints);
    run.save(checkpoints);
    CHECK(checkpoints.paths() == paths_of(directory, {2, 3, 4, 5, 6}));
    run.save(checkpoints);
    CHECK(checkpoints.paths() == paths_of(directory, {5, 6, 7}));
  }
  SECTION("found torn by one that goes on") {
    for (int number = 4; number <= 6; ++number) files::write(path_of(directory, number), "torn");
    CHECK(run.resume(checkpoints).path == path_of(directory, 3));
    run.save(checkpoints);
    CHECK(checkpoints.paths() == paths_of(directory, {2, 3, 4, 5, 6, 7}));
    for (int i = 0; i < 2; ++i) run.save(checkpoints);
    CHECK(checkpoints.paths() == paths_of(directory, {7, 8, 9}));
  }
  SECTION("of the right length, but not as written") {
    std::string bytes = files::contents(path_of(directory, 2));
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    files::write(path_of(directory, 2), bytes);
    run.save(checkpoints);
    CHECK(checkpoints.paths() == paths_of(directory, {1, 2, 3, 4}));
  }
}

TEST_CASE("checkpoint: the largest number has none after it") {
  const files::Directory directory;
  Run run;
  std::string bytes;
  {
    Checkpoints checkpoints(directory.path());
    bytes = files::contents(run.save(checkpoints));
  }
  const std::string largest = directory / "checkpoint-9223372036854775807.safetensors";
  files::write(largest, bytes);
  Checkpoints checkpoints(directory.path());
  CHECK(run.resume(checkpoints).path == largest);
  CHECK_THROWS_WITH(run.save(checkpoints),
                    "plait::" + directory.path() +
                        ": checkpoints: got number 9223372036854775807, expected one that another "
                        "can follow");
  CHECK_THROWS_AS(run.save(checkpoints), plait::FileError);
  CHECK(files::contents(largest) == bytes);
  CHECK(checkpoints.paths().size() == 2);

  // The one before it has one, and what is no number has no part in it.
  std::filesystem::rename(largest, directory / "checkpoint-9223372036854775806.safetensors");
  files::write(directory / "checkpoint-9223372036854775808.safetensors", "too large");
  files::write(directory / "checkpoint--00000001.safetensors", "negative");
  CHECK(run.save(checkpoints) == largest);
}

TEST_CASE("checkpoint: two programs on one directory are told of each other") {
  const files::Directory directory;
  Run run;
  int to_child[2], to_parent[2];
  REQUIRE(::pipe(to_child) == 0);
  REQUIRE(::pipe(to_parent) == 0);
  const ::pid_t child = ::fork();
  REQUIRE(child >= 0);
  char byte = 'x';
  if (child == 0) {  // another program, until it is told to end
    const auto stay = [&] {
      Checkpoints checkpoints(directory.path());
      run.save(checkpoints);
      [[maybe_unused]] const auto told = ::write(to_parent[1], &byte, 1);
      [[maybe_unused]] const auto heard = ::read(to_child[0], &byte, 1);
      ::_exit(0);  // as a program that is killed: nothing is destroyed
    };
    stay();
  }
  REQUIRE(::read(to_parent[0], &byte, 1) == 1);
  const std::string told = "plait::" + directory.path() +
                           ": checkpoints.lock: got a lock of process " + plait::text(child) +
                           ", expected a directory that no other program uses";
  {
    Checkpoints checkpoints(directory.path());
    CHECK(checkpoints.paths().size() == 1);
    CHECK_THROWS_WITH(checkpoints.lock(), told);
    CHECK_THROWS_WITH(run.save(checkpoints), told);
    CHECK_THROWS_AS(run.save(checkpoints), plait::FileError);
    CHECK_THROWS_WITH(run.resume(checkpoints), told);
    CHECK(checkpoints.paths().size() == 1);
  }
  REQUIRE(::write(to_child[1], &byte, 1) == 1);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  Checkpoints checkpoints(directory.path());
  CHECK(run.resume(checkpoints));
  CHECK(run.save(checkpoints) == path_of(directory, 2));
  for (const int end : {to_child[0], to_child[1], to_parent[0], to_parent[1]}) ::close(end);
}

TEST_CASE("checkpoint: the lock is the run's, and follows no link") {
  const files::Directory directory;
  Run run;
  std::optional<Checkpoints> checkpoints(directory.path());
  run.save(*checkpoints);
  std::optional<Checkpoints> copy(*checkpoints);
  run.save(*copy);
  Checkpoints other(directory.path());
  CHECK_THROWS_AS(run.save(other), plait::FileError);
  checkpoints.reset();
  CHECK_THROWS_AS(run.save(other), plait::FileError);
  copy.reset();
  CHECK(run.save(other) == path_of(directory, 3));

  const files::Directory linked;
  files::write(linked / "precious", "not a lock");
  std::filesystem::create_symlink(linked / "precious", linked / "checkpoints.lock");
  Checkpoints refused(linked.path());
  CHECK_THROWS_AS(run.save(refused), plait::FileError);
  CHECK(files::contents(linked / "precious") == "not a lock");
  CHECK(refused.paths().empty());
}

TEST_CASE("checkpoint: copies are of one run, made before its first checkpoint or after") {
  const files::Directory directory;
  Run run;
  for (const bool saves_first : {true, false}) {
    Checkpoints one(directory.path(), 2);
    Checkpoints other = one;
    Checkpoints assigned(directory / "elsewhere");
    assigned = other;
    if (saves_first)
      run.save(one);
    else
      CHECK(run.resume(one));
    run.save(other);
    run.save(assigned);
    run.save(one);
    CHECK(one.paths().size() == 2);
    CHECK(other.paths() == one.paths());
  }
  CHECK(Checkpoints(directory.path()).paths() == paths_of(directory, {6, 7}));
}

TEST_CASE("checkpoint: a copy holds the lock that another took") {
  const files::Directory directory;
  Run run;
  std::optional<Checkpoints> one(directory.path());
  const Checkpoints copy(*one);
  run.save(*one);
  one.reset();
  Checkpoints other(directory.path());
  CHECK_THROWS_AS(run.save(other), plait::FileError);
  CHECK(copy.paths().size() == 1);
}

TEST_CASE("checkpoint: another user's lock is held, and seen") {
  const files::Directory directory;
  const std::string lock = directory / "checkpoints.lock";
  files::write(lock, "1\n");
  REQUIRE(::chmod(directory.path().c_str(), 0777) == 0);
  REQUIRE(::chmod(lock.c_str(), 0444) == 0);
  const int held = ::open(lock.c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(held >= 0);
  REQUIRE(::flock(held, LOCK_EX | LOCK_NB) == 0);
  const OtherUser user;
  if (!user) {
    WARN("skipped: this user may not become another");
    ::close(held);
    return;
  }
  Run run;
  Checkpoints refused(directory.path());
  CHECK_THROWS_WITH(run.save(refused), ContainsSubstring("got a lock of process 1,"));
  CHECK(refused.paths().empty());
  ::close(held);
  {
    Checkpoints checkpoints(directory.path());
    run.save(checkpoints);
    Checkpoints second(directory.path());
    CHECK_THROWS_AS(run.resume(second), plait::FileError);
  }
  CHECK(std::filesystem::remove(lock));
  files::write(lock, "");
  REQUIRE(::chmod(lock.c_str(), 0) == 0);
  Checkpoints unreadable(directory.path());
  CHECK_THROWS_WITH(run.save(unreadable),
                    ContainsSubstring("checkpoints.lock: got Permission den"));
  CHECK(unreadable.paths().size() == 1);
}
