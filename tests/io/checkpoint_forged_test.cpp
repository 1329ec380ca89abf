// Checkpoints whose seal fits and whose content no run can have had.
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "checkpoint_run.hpp"
#include "plait/train/early_stopping.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using checkpoints::check_equal;
using checkpoints::num_rows;
using checkpoints::Run;
using plait::CheckpointParts;
using plait::Checkpoints;
using plait::Index;

constexpr Index most = std::numeric_limits<Index>::max();

using Change = std::function<void(files::Parts&)>;

Change meta(const std::string& key, const std::string& value) {
  return [=](files::Parts& parts) { parts.meta(key) = value; };
}
Change without_meta(const std::string& key) {
  return [=](files::Parts& parts) {
    std::erase_if(parts.header.metadata, [&](const auto& entry) { return entry.first == key; });
  };
}
template <class Number>
Change tensor(const std::string& name, const std::function<void(std::vector<Number>&)>& change) {
  return [=](files::Parts& parts) {
    for (std::size_t i = 0; i < parts.data.size(); ++i) {
      if (parts.header.tensors[i].name != name) continue;
      std::vector<Number> numbers(parts.data[i].size() / sizeof(Number));
      std::memcpy(numbers.data(), parts.data[i].data(), parts.data[i].size());
      change(numbers);
      parts.data[i].assign(reinterpret_cast<const char*>(numbers.data()),
                           numbers.size() * sizeof(Number));
      parts.header.tensors[i].shape = {numbers.size()};
    }
  };
}
Change order(const std::function<void(std::vector<std::int64_t>&)>& change) {
  return tensor<std::int64_t>("order", change);
}

// A run with parts, and its checkpoint.
struct Stored {
  files::Directory directory;
  Checkpoints checkpoints{directory.path()};
  Run run;
  plait::EarlyStopping stopping{{{}}};
  plait::Random random{4};
  std::array<double, 2> sums{1, 2};
  std::string path;
  std::string bytes;

  Stored() {
    for (int i = 0; i < 7; ++i) run.step();
    stopping.update(std::array{0.5});
    path = checkpoints.save(run.trainer, run.progress, parts());
    bytes = files::contents(path);
  }
  CheckpointParts<float> parts() {
    return {{"stopping", stopping}, {"random", random}, {"sums", sums}};
  }

  // What the error says of the file after the change; nothing may have changed then.
  std::string refusal(const Change& change, const plait::ResumeOptions& options = {}) {
    files::write(path, files::resealed(bytes, change));
    Run other;
    const Run untouched;
    std::string told = "nothing";
    try {
      other.resume(checkpoints, parts(), options);
      return told;
    } catch (const plait::FormatError& error) {
      told = error.what();
    }
    check_equal(other, untouched);
    CHECK(sums == std::array<double, 2>{1, 2});
    const std::string where = "plait::" + path + ": ";
    return told.starts_with(where) ? told.substr(where.size()) : told;
  }
};

}  // namespace

TEST_CASE("checkpoint: a forged order is refused") {
  Stored stored;
  CHECK(stored.refusal(order([](auto&) {})) == "nothing");
  CHECK(stored.refusal(order([](auto& rows) { std::ranges::reverse(rows); })) == "nothing");
  const auto replaces = [&](std::int64_t row) {
    return stored.refusal(order([&](auto& rows) {
      const auto place = std::ranges::find(rows, 5);
      *place = row;
    }));
  };
  CHECK(replaces(num_rows) ==
        "order: got row 6 in place of 5, expected the rows of this run, in "
        "any order");
  CHECK(replaces(-1) ==
        "order: got row -1 in place of 0, expected the rows of this run, in any "
        "order");
  CHECK_THAT(replaces(most), ContainsSubstring("order: got row "));
  CHECK_THAT(replaces(std::numeric_limits<std::int64_t>::min()),
             ContainsSubstring("order: got row "));
  CHECK_THAT(replaces(4), ContainsSubstring("order: got row 4 in place of 5"));  // twice
  CHECK(stored.refusal(order([](auto& rows) { rows.pop_back(); })) ==
        "order: got 19 rows, expected 20 as in this run");
  CHECK(stored.refusal(order([](auto& rows) { rows.push_back(0); })) ==
        "order: got 21 rows, expected 20 as in this run");
  CHECK(stored.refusal(order([](auto& rows) { rows.clear(); })) ==
        "order: got 0 rows, expected 20 as in this run");

  // A run that trains on some of its rows, and does not want those of its test.
  stored.run.progress.order = {2, 3, 5};
  stored.run.progress.step = 1;
  stored.checkpoints.save(stored.run.trainer, stored.run.progress, stored.parts());
  Run other;
  CHECK_THROWS_WITH(other.resume(stored.checkpoints, stored.parts()),
                    ContainsSubstring("order: got 3 rows, expected 20 as in this run"));
  other.progress.order = {1, 2, 3};
  CHECK_THROWS_WITH(other.resume(stored.checkpoints, stored.parts()),
                    ContainsSubstring("order: got row 2 in place of 1"));
  other.progress.order = {5, 3, 2};
  CHECK(other.resume(stored.checkpoints, stored.parts()));
}

TEST_CASE(
    "checkpoint: rows of an order that is another choice in every epoch stay in their range") {
  Stored stored;
  const plait::ResumeOptions any{.rows = num_rows};
  const auto replaces = [&](std::int64_t row) {
    return stored.refusal(order([&](auto& rows) { rows = {3, 3, row, 7}; }), any);
  };
  CHECK(replaces(num_rows - 1) == "nothing");
  CHECK(replaces(num_rows) == "order: got row 20, expected rows from 0 to 19");
  CHECK(replaces(-1) == "order: got row -1, expected rows from 0 to 19");
  CHECK(replaces(most) == "order: got row 9223372036854775807, expected rows from 0 to 19");
}

TEST_CASE("checkpoint: forged counts are refused") {
  Stored stored;
  CHECK(stored.refusal(meta("plait.step", "20")) == "nothing");
  CHECK(stored.refusal(meta("plait.step", "21")) ==
        "plait.step: got 21, expected at most 20, one for each row of order");
  for (const std::string key : {"plait.epoch", "plait.step", "plait.optimizer_steps",
                                "plait.best_epoch", "plait.part.0.steps"})
    for (const std::string value :
         {"9223372036854775807", "9007199254740993", "9223372036854775808", "-1", "", "7 ", " 7",
          "+7", "0x7", "7.0", "1e3", "seven", "1.000"})
      CHECK(stored.refusal(meta(key, value)) ==
            key + ": got '" + value + "', expected a count up to 2^53");
  CHECK(stored.refusal(meta("plait.epoch", "9007199254740992")) == "nothing");
  for (const std::string first : {"0", "2", "100"})
    CHECK_THAT(stored.refusal(meta("plait.first", first)),
               ContainsSubstring("plait.first: got " + first + ", expected a number from 1 to 1"));
}

TEST_CASE("checkpoint: forged generators are refused") {
  Stored stored;
  const std::string zeros(16, '0');
  const std::string state = zeros + " " + zeros + " " + zeros + " ";
  for (const std::string key : {"plait.random", "plait.part.1.random"}) {
    CHECK(stored.refusal(meta(key, state + zeros)) ==
          key + ": got zeros alone, expected a state that a generator had");
    CHECK(stored.refusal(meta(key, state + "0000000000000001")) == "nothing");
    for (const std::string& given :
         {std::string(), zeros, state, state + "00", state + zeros + " ", state + zeros + " 1",
          state + "000000000000000g", state + zeros + "0"})
      CHECK(stored.refusal(meta(key, given)) ==
            key + ": got '" + given + "', expected 4 words of 16 digits");
  }
  CHECK(stored.refusal(meta("plait.best_metric", "3ff00000000000000")) ==
        "plait.best_metric: got '3ff00000000000000', expected 1 words of 16 digits");
}

TEST_CASE("checkpoint: what is missing is named") {
  Stored stored;
  for (const std::string key :
       {"plait.format", "plait.first", "plait.settings", "plait.settings_of_parts", "plait.moments",
        "plait.epoch", "plait.step", "plait.random", "plait.optimizer_steps", "plait.best_epoch",
        "plait.part.0.steps", "plait.part.1.random", "plait.part.2.buffers"})
    CHECK(stored.refusal(without_meta(key)) ==
          "metadata: got no " + key + ", expected a checkpoint");
  for (const std::string name : {"order", "numbers.0", "numbers.2"})
    CHECK(stored.refusal([&](files::Parts& parts) {
      for (auto& tensor : parts.header.tensors)
        if (tensor.name == name) tensor.name = "numbers.of another";
    }) != "nothing");
  // Not a note of ours: what is one, and may be missing, is the caller's to look for.
  CHECK(stored.refusal(without_meta("plait.version")) == "nothing");
}

TEST_CASE("checkpoint: forged states of parts are refused") {
  Stored stored;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto number = [&](std::size_t place, double value) {
    return stored.refusal(tensor<double>(
        "numbers.0", [&](std::vector<double>& numbers) { numbers.at(place) = value; }));
  };
  // Of early stopping: evaluations, the best sum, where it was and how long ago, then the task's.
  CHECK(number(0, 1) == "nothing");
  for (const double value : {-1.0, 0.5, 1e300, nan, std::numeric_limits<double>::infinity()}) {
    CHECK_THAT(number(0, value), ContainsSubstring("state of stopping: got plait::EarlyStopping: "
                                                   "state: got"));
    for (const std::size_t place : {std::size_t{3}, std::size_t{9}})
      CHECK_THAT(number(place, value), ContainsSubstring("expected a whole number from 0 to 1"));
  }
  CHECK_THAT(number(2, -2), ContainsSubstring("got -2, expected a whole number from -1 to 0"));
  CHECK_THAT(number(2, 1), ContainsSubstring("got 1, expected a whole number from -1 to 0"));
  CHECK_THAT(number(8, nan), ContainsSubstring("got nan, expected a whole number from -1 to 0"));
  CHECK(stored.stopping.evaluations() == 1);

  // Numbers of a fixed count.
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{3}})
    CHECK_THAT(
        stored.refusal(tensor<double>("numbers.2", [&](auto& sums) { sums.resize(size); })),
        ContainsSubstring(plait::text("state of sums: got plait::CheckpointPart: numbers: got ",
                                      size, ", expected 2")));
}

TEST_CASE("checkpoint: what a file says is told in one line, and cut") {
  Stored stored;
  const std::string told =
      stored.refusal(meta("plait.moments", "\x1b[2J\n\x07" + std::string(100000, 'm')));
  CHECK_THAT(told, ContainsSubstring("moments: got '\\x1b[2J\\x0a\\x07mmmm"));
  CHECK_THAT(told, ContainsSubstring("m...', expected 'exp_avg exp_avg_sq' as of"));
  CHECK(told.size() < 400);
  const std::string of_settings = stored.refusal([](files::Parts& parts) {
    std::string& settings = parts.meta("plait.settings");
    const std::size_t rule = settings.find("optimizer.rule\tAdam\n");
    REQUIRE(rule != std::string::npos);
    settings.insert(rule + 15, "\x1b" + std::string(100000, 'd'));
    settings += "name\x1b\tvalue\n";
  });
  CHECK_THAT(of_settings, ContainsSubstring("optimizer.rule, name\\x1b: got \\x1bddd") &&
                              ContainsSubstring("d..., value, expected Adam, none as in this run"));
  CHECK(of_settings.find('\x1b') == std::string::npos);
  CHECK(of_settings.size() < 500);
  for (const std::string any : {"", "\n", "\t", "\n\n\n", "no tab", "optimizer.rule"})
    CHECK_THAT(stored.refusal(meta("plait.settings", any)), ContainsSubstring("as in this run"));
}

TEST_CASE("checkpoint: progress that could not be read again is not written") {
  Stored stored;
  const auto refuses = [&](const std::function<void(plait::Progress<float>&)>& change,
                           const std::string& told) {
    plait::Progress<float> progress = stored.run.progress;
    change(progress);
    CHECK_THROWS_WITH(stored.checkpoints.save(stored.run.trainer, progress),
                      "plait::Checkpoints: " + told);
    CHECK_THROWS_AS(stored.checkpoints.save(stored.run.trainer, progress), plait::ConfigError);
  };
  refuses([](auto& p) { p.epoch = -1; }, "epoch: got -1, expected a count up to 2^53");
  refuses([](auto& p) { p.step = most; },
          "step: got 9223372036854775807, expected a count up to 2^53");
  refuses([](auto& p) { p.step = 21; },
          "step: got 21, expected at most 20, one for each row of order");
  refuses([](auto& p) { p.best->epoch = -3; }, "best epoch: got -3, expected a count up to 2^53");
  refuses([](auto& p) { p.order[4] = -7; }, "order: got row -7, expected rows from 0 on");
  CHECK(stored.checkpoints.paths().size() == 1);
}
