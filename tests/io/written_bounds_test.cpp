// What no reader takes is refused when it is written.
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "checkpoint_run.hpp"
#include "plait/io/model_file.hpp"
#include "plait/io/safetensors.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using checkpoints::check_equal;
using checkpoints::CheckpointParts;
using checkpoints::Run;
using plait::Checkpoints;
using plait::ConfigError;
using plait::Index;

// Pairs of metadata that a file of this many notes has beside them.
std::size_t own_pairs(const std::string& path) {
  return plait::SafetensorsReader(path).header().metadata.size();
}

// A part that has made this many steps.
struct Steps {
  Index steps = 0;
  plait::MethodState state() const { return {.steps = steps}; }
  void restore(const plait::MethodState& state) { steps = state.steps; }
};

}  // namespace

TEST_CASE("written bounds: a checkpoint has as many notes as can be read, and not one more") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  run.step();
  const std::string first = run.save(checkpoints);
  const std::size_t most = plait::max_metadata - own_pairs(first);
  for (std::size_t i = 0; i <= most; ++i) run.progress.notes[plait::text(i)] = "note";
  CHECK_THROWS_AS(run.save(checkpoints), ConfigError);
  CHECK_THROWS_WITH(run.save(checkpoints),
                    ContainsSubstring("metadata: got 4097 pairs, the library's own included, "
                                      "expected at most 4096"));
  CHECK(checkpoints.paths() == std::vector<std::string>{first});
  run.progress.notes.erase("0");
  run.save(checkpoints);
  Run other;
  REQUIRE(other.resume(checkpoints));
  check_equal(other, run);
  CHECK(other.progress.notes == run.progress.notes);
}

TEST_CASE("written bounds: parts and a model's metadata count as well") {
  const files::Directory directory;
  Run run;
  Checkpoints checkpoints(directory.path());
  std::vector<Steps> steps(1024);
  CheckpointParts<float> parts;
  for (std::size_t i = 0; i < steps.size(); ++i) parts.emplace_back(plait::text(i), steps[i]);
  CHECK_THROWS_AS(run.save(checkpoints, parts), ConfigError);
  CHECK(checkpoints.paths().empty());

  plait::SaveOptions options;
  plait::save(run.model, directory / "model", options);
  const std::string before = files::contents(directory / "model");
  const std::size_t most = plait::max_metadata - own_pairs(directory / "model");
  for (std::size_t i = 0; i <= most; ++i) options.metadata.emplace_back(plait::text(i), "");
  CHECK_THROWS_AS(plait::save(run.model, directory / "model", options), ConfigError);
  CHECK(files::contents(directory / "model") == before);
  options.metadata.pop_back();
  plait::save(run.model, directory / "model", options);
  CHECK(plait::load<float>(directory / "model").metadata.size() == most);
}

TEST_CASE("written bounds: ranks and headers") {
  plait::SafetensorsWriter deep;
  const std::vector<float> one{1};
  deep.add("deep", std::vector<std::uint64_t>(65, 1), std::span(one));
  CHECK_THROWS_WITH(files::written(deep),
                    ContainsSubstring("shape of 'deep': got 65 sizes, expected at most 64"));
  plait::SafetensorsWriter flat;
  flat.add("flat", std::vector<std::uint64_t>(64, 1), std::span(one));
  CHECK(files::reader(files::written(flat)).header().find("flat") != nullptr);

  plait::SafetensorsWriter wide;
  wide.add_metadata("note", std::string(100'000'000, 'x'));
  CHECK_THROWS_WITH(files::written(wide),
                    ContainsSubstring("header: got 100000032 bytes, expected at most 100000000"));
}

TEST_CASE("written bounds: a part's steps and a run's first number") {
  const files::Directory directory;
  Run run;
  {
    Checkpoints checkpoints(directory.path());
    Steps steps;
    const CheckpointParts<float> parts{{"steps", steps}};
    for (const Index count : {Index{-1}, (Index{1} << 53) + 1, std::numeric_limits<Index>::max()}) {
      steps.steps = count;
      CHECK_THROWS_WITH(run.save(checkpoints, parts), "plait::Checkpoints: steps of steps: got " +
                                                          plait::text(count) +
                                                          ", expected a count up to 2^53");
    }
    CHECK(checkpoints.paths().empty());
    steps.steps = Index{1} << 53;
    run.save(checkpoints, parts);
    steps.steps = 0;
    REQUIRE(run.resume(checkpoints, parts));
    CHECK(steps.steps == Index{1} << 53);
  }
  // A run that starts anew where the numbers are beyond what is counted.
  files::write(directory / "checkpoint-9223372036854775800.safetensors", "of another run");
  Checkpoints checkpoints(directory.path());
  const std::string first = run.save(checkpoints);
  CHECK(run.resume(checkpoints).path == first);
}
