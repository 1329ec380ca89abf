#include "plait/io/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint_run.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/core/parallel.hpp"
#include "plait/methods/db_mtl.hpp"
#include "plait/methods/dwa.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/penalties/penalties.hpp"
#include "plait/penalties/tensor_normal.hpp"
#include "plait/train/early_stopping.hpp"
#include "plait/train/gradient_mean.hpp"
#include "plait/train/trainer.hpp"
#include "plait/train/weight_average.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

using Catch::Matchers::ContainsSubstring;
using checkpoints::check_equal;
using checkpoints::make_model;
using checkpoints::Run;
using plait::CheckpointParts;
using plait::Checkpoints;
using plait::Index;
using plait::Model;
using plait::Progress;

TEST_CASE("checkpoint: resumed after any step, training ends in the same bits") {
  Run whole;
  whole.finish();
  for (int stop = 0; stop <= 15; ++stop) {
    INFO("stopped after step " << stop);
    const files::Directory directory;
    Checkpoints checkpoints(directory.path());
    {
      Run first;
      for (int i = 0; i < stop; ++i) first.step();
      first.save(checkpoints);
    }
    Run second;
    CHECK(second.resume(checkpoints));
    second.finish();
    check_equal(second, whole);
  }
}

TEST_CASE("checkpoint: everything a run carries comes back") {
  const files::Directory directory;
  Checkpoints checkpoints(directory / "made/on/demand");
  Run run;
  for (int i = 0; i < 7; ++i) run.step();
  run.progress.best->metric = -std::numeric_limits<double>::infinity();
  run.progress.notes = {{"name", "välue"}, {"empty", ""}};
  const std::string path = run.save(checkpoints);
  Run other;
  const auto resumed = other.resume(checkpoints);
  CHECK(resumed.path == path);
  CHECK(resumed.rejected.empty());
  check_equal(other, run);
  CHECK(other.progress.epoch == 1);
  CHECK(other.progress.step == 2);
  CHECK(other.progress.notes == run.progress.notes);
}

TEST_CASE("checkpoint: without files there is nothing to resume") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  files::write(directory / "checkpoint-1.safetensors", "not a name of ours");
  files::write(directory / "checkpoint-000000001.safetensors.partial", "half a file");
  Run run;
  CHECK_FALSE(run.resume(checkpoints));
  check_equal(run, Run());
}

TEST_CASE("checkpoint: the last ones are kept, by number") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path(), 2);
  Run run;
  std::vector<std::string> paths;
  for (int i = 0; i < 12; ++i) {
    run.step();
    paths.push_back(run.save(checkpoints));
    REQUIRE(checkpoints.paths().back() == paths.back());
  }
  CHECK(checkpoints.paths() == std::vector<std::string>(paths.end() - 2, paths.end()));
  CHECK(paths.back() == directory / "checkpoint-000000012.safetensors");
  CHECK_THROWS_AS(Checkpoints(directory.path(), 0), plait::ConfigError);
}

TEST_CASE("checkpoint: torn and corrupt files are passed over and named") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path(), 4);
  Run run;
  std::vector<std::string> paths;
  for (int i = 0; i < 4; ++i) {
    run.step();
    paths.push_back(run.save(checkpoints));
  }
  std::filesystem::resize_file(paths[3], std::filesystem::file_size(paths[3]) - 1);
  std::string bytes = files::contents(paths[2]);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  files::write(paths[2], bytes);

  Run second;
  const auto resumed = second.resume(checkpoints);
  CHECK(resumed.path == paths[1]);
  REQUIRE(resumed.rejected.size() == 2);
  CHECK(resumed.rejected[0].path == paths[3]);
  CHECK_THAT(resumed.rejected[0].reason, ContainsSubstring("as the header describes"));
  CHECK(resumed.rejected[1].path == paths[2]);
  CHECK_THAT(resumed.rejected[1].reason, ContainsSubstring("data: got checksum "));
  CHECK(second.trainer.optimizer().steps() == 2);

  // The next one is newer than all of them.
  CHECK(second.save(checkpoints) == directory / "checkpoint-000000005.safetensors");
}

TEST_CASE("checkpoint: when none is whole the error says why, and nothing changes") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  run.step();
  files::write(run.save(checkpoints), "");
  files::write(run.save(checkpoints), "12345678");
  Run second;
  CHECK_THROWS_WITH(second.resume(checkpoints),
                    "plait::" + directory.path() + ": checkpoints: got plait::" +
                        (directory / "checkpoint-000000002.safetensors") +
                        ": header length: got 4050765991979987505, expected at most 0; plait::" +
                        (directory / "checkpoint-000000001.safetensors") +
                        ": file: got 0 bytes, expected at least 8, expected one that is whole");
  check_equal(second, Run());
}

TEST_CASE("checkpoint: every truncation and flip of the newest gives the one before") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  run.step();
  const std::string older = run.save(checkpoints);
  run.step();
  const std::string newer = run.save(checkpoints);
  const std::string bytes = files::contents(newer);
  plait::Random random(5);
  for (int i = 0; i < 400; ++i) {
    std::string changed = bytes;
    const auto place = static_cast<std::size_t>(random.below(std::ssize(bytes)));
    if (i % 2 == 0)
      changed.resize(place);
    else
      changed[place] = static_cast<char>(changed[place] ^ 4);
    files::write(newer, changed);
    Run second;
    REQUIRE(second.resume(checkpoints).path == older);
  }
}

TEST_CASE("checkpoint: one of another run is refused, and nothing changes") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  run.step();
  const std::string path = run.save(checkpoints);

  Run other_moments(plait::Adam{.learning_rate = 0.05, .amsgrad = true});
  CHECK_THROWS_WITH(other_moments.resume(checkpoints),
                    "plait::" + path +
                        ": moments: got 'exp_avg exp_avg_sq', expected 'exp_avg exp_avg_sq "
                        "max_exp_avg_sq' as of this run's optimizer, Adam");
  CHECK(other_moments.trainer.optimizer().steps() == 0);

  Model<float> larger = make_model(3);
  const auto before = larger.values();
  Progress<float> progress;
  plait::Optimizer<float> optimizer(larger.shared_table(), plait::Adam{.learning_rate = 0.05},
                                    {.schedule = plait::Schedule::cosine(12), .clip_norm = 1.0});
  CHECK_THROWS_AS(checkpoints.resume(larger, optimizer, progress), plait::FormatError);
  CHECK(std::ranges::equal(larger.values().flat(), before.flat()));

  Model<double> wide = make_model<double>();
  plait::Optimizer<double> wide_optimizer(
      wide.shared_table(), plait::Adam{.learning_rate = 0.05},
      {.schedule = plait::Schedule::cosine(12), .clip_norm = 1.0});
  Progress<double> wide_progress;
  CHECK_THROWS_WITH(checkpoints.resume(wide, wide_optimizer, wide_progress),
                    ContainsSubstring("got F32, expected F64"));

  // An optimizer of other parameters than the model's.
  plait::Optimizer<float> stray(std::make_shared<const plait::ParamTable>(),
                                plait::Adam{.learning_rate = 0.05},
                                {.schedule = plait::Schedule::cosine(12), .clip_norm = 1.0});
  Model<float> model = make_model();
  const auto values = model.values();
  CHECK_THROWS_AS(checkpoints.resume(model, stray, progress), plait::Error);
  CHECK(std::ranges::equal(model.values().flat(), values.flat()));
}

TEST_CASE("checkpoint: model and optimizer without a trainer") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  for (int i = 0; i < 3; ++i) run.step();
  checkpoints.save(run.model, run.trainer.optimizer(), run.progress);
  Run other;
  CHECK(checkpoints.resume(other.model, other.trainer.optimizer(), other.progress));
  check_equal(other, run);
}

namespace {

// Runs some tasks of a call, as long as it may; then it has no thread for the others.
struct Failing final : plait::Executor {
  Index calls = std::numeric_limits<Index>::max();
  void run(Index count, plait::IndexTask task) override {
    const bool fails = --calls < 0;
    for (Index i = 0; i < (fails ? count / 2 : count); ++i) task(i);
    if (fails) throw std::runtime_error("no thread");
  }
};

}  // namespace

TEST_CASE("checkpoint: after half a step a run goes on from its last whole one") {
  Failing executor;
  plait::TrainerOptions options = Run::default_options();
  options.executor = &executor;
  const plait::Adam adam{.learning_rate = 0.05};
  Run whole(adam, options);
  whole.finish();

  // Whichever of a step's calls it is that fails.
  bool has_halved = false;
  for (Index calls = 0; calls < 6; ++calls) {
    INFO("after " << calls << " calls of a step");
    const files::Directory directory;
    Checkpoints checkpoints(directory.path());
    Run run(adam, options);
    for (int i = 0; i < 3; ++i) run.step();
    const std::string path = run.save(checkpoints);
    const auto before = run.model.values();
    executor.calls = calls;
    try {
      run.step();
    } catch (const std::runtime_error&) {
    }
    executor.calls = std::numeric_limits<Index>::max();
    if (run.trainer.optimizer().spoiled()) {
      has_halved = true;
      CHECK_FALSE(std::ranges::equal(run.model.values().flat(), before.flat()));
      CHECK_THROWS_AS(run.step(), plait::ConfigError);
      CHECK_THROWS_WITH(run.save(checkpoints),
                        "plait::Checkpoints: optimizer: got that of a step that threw, expected "
                        "one whose steps are whole");
      CHECK(checkpoints.paths().size() == 1);
    }
    CHECK(run.resume(checkpoints).path == path);
    run.finish();
    check_equal(run, whole);
  }
  CHECK(has_halved);
}

TEST_CASE("checkpoint: one of an earlier version is refused as such") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  const std::string path = run.save(checkpoints);
  const auto as = [&](const std::string& format) {
    files::write(path, files::resealed(files::contents(path), [&](files::Parts& parts) {
                   parts.meta("plait.format") = format;
                 }));
  };
  for (const std::string before : {"plait.checkpoint.1", "plait.checkpoint.2"}) {
    as(before);
    CHECK_THROWS_WITH(run.resume(checkpoints), "plait::" + path + ": plait.format: got '" + before +
                                                   "', that of an earlier version, expected "
                                                   "'plait.checkpoint.3'");
  }
  CHECK_THROWS_AS(run.resume(checkpoints), plait::FormatError);
  as("plait.model.1");
  CHECK_THROWS_WITH(
      run.resume(checkpoints),
      "plait::" + path + ": plait.format: got 'plait.model.1', expected 'plait.checkpoint.3'");
}

TEST_CASE("checkpoint: notes that cannot be stored are refused") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  run.progress.notes = {{"plait.epoch", "9"}};
  CHECK_THROWS_AS(run.save(checkpoints), plait::ConfigError);
  run.progress.notes = {{"n", "\xff"}};
  CHECK_THROWS_AS(run.save(checkpoints), plait::ConfigError);
  CHECK(checkpoints.paths().empty());
}

namespace {

// An object of one's own, with a buffer: sums what it is shown.
class Sums {
 public:
  explicit Sums(std::shared_ptr<const plait::ParamTable> table)
      : buffers_(2, plait::ParamBuffer<float>(std::move(table))) {}

  void add(const plait::ParamBuffer<float>& values) {
    for (std::size_t i = 0; i < values.flat().size(); ++i)
      buffers_[static_cast<std::size_t>(state_.steps % 2)].flat()[i] += values.flat()[i];
    state_.numbers = {std::numeric_limits<double>::infinity(), state_.random.uniform()};
    ++state_.steps;
  }
  const plait::MethodState& state() const { return state_; }
  const std::vector<plait::ParamBuffer<float>>& buffers() const { return buffers_; }
  void restore(plait::MethodState state, std::vector<plait::ParamBuffer<float>> buffers) {
    if (state.steps == refused) throw plait::ValueError("Sums", "steps", "too many", "fewer");
    state_ = std::move(state);
    buffers_ = std::move(buffers);
  }
  Index refused = -1;

 private:
  plait::MethodState state_;
  std::vector<plait::ParamBuffer<float>> buffers_;
};

// Every kind of part on top of a run: two balancers (one keeps buffers), a weighting, early
// stopping, an average of the weights, a gradient made of two batches', a generator, numbers, and
// one's own.
struct Rich {
  Run run;
  plait::GradientBalancer<float> balancer{plait::DBMTL{}, 2, run.model.shared_table(),
                                          run.trainer.shared(), 5};
  plait::LossWeighting weighting{plait::DWA{}, 2};
  plait::EarlyStopping stopping{{{}, {.better = plait::Better::lower}}};
  plait::WeightAverage<float> average{run.model.shared_table(), 0.9};
  plait::GradientMean<float> mean{run.model.shared_table()};
  plait::Random random{9};
  std::vector<double> history;
  Sums sums{run.model.shared_table()};
  plait::Penalties<float> penalties{
      run.model.shared_table(),
      {{"heads", plait::TensorNormal{
                     .weight = 0.1, .every = 2, .parameters = "task_modules.*.mlp_net.0.weight"}}}};

  CheckpointParts<float> parts() {
    return {{"the balancer", balancer}, {"weighting", weighting},    {"stopping", stopping},
            {"average", average},       {"mean of gradients", mean}, {"random", random},
            {"history", history},       {"penalties", penalties},    {"sums", sums}};
  }

  void step() {
    run.trainer.set_penalties(&penalties);
    run.step([&](const auto& x, const auto& labels) {
      const plait::Targets<float> targets{labels, {}, {}};
      if (run.progress.step % 2 == 0) {
        run.trainer.step(x, targets, balancer);
      } else {
        run.trainer.step(x, targets, weighting);
      }
    });
    weighting.end_epoch();
    const auto t = static_cast<double>(run.trainer.optimizer().steps());
    stopping.update(std::array{std::sin(t), std::numeric_limits<double>::quiet_NaN()});
    average.update(run.model.values());
    mean.add(run.trainer.gradient(), t);
    history.push_back(random.normal());
    sums.add(run.model.values());
  }
};

void check_equal(const plait::MethodState& a, const plait::MethodState& b) {
  CHECK(a.steps == b.steps);
  CHECK(a.random.state() == b.random.state());
  CHECK(std::ranges::equal(a.numbers, b.numbers, [](double x, double y) {
    return x == y || (std::isnan(x) && std::isnan(y));
  }));
}

void check_equal(Rich& a, Rich& b) {
  check_equal(a.run, b.run);
  const auto of_a = a.parts();
  const auto of_b = b.parts();
  for (std::size_t i = 0; i < of_a.size(); ++i) {
    INFO(of_a[i].name());
    check_equal(of_a[i].state(), of_b[i].state());
    REQUIRE(of_a[i].buffers().size() == of_b[i].buffers().size());
    for (std::size_t k = 0; k < of_a[i].buffers().size(); ++k)
      CHECK(std::ranges::equal(of_a[i].buffers()[k].flat(), of_b[i].buffers()[k].flat()));
  }
}

}  // namespace

TEST_CASE("checkpoint: what runs beside the optimizer goes on bit for bit") {
  Rich whole, first, second;
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  for (int i = 0; i < 11; ++i) {
    whole.step();
    if (i < 4) first.step();
  }
  first.run.save(checkpoints, first.parts());
  REQUIRE(second.run.resume(checkpoints, second.parts()));
  check_equal(second, first);
  for (int i = 4; i < 11; ++i) second.step();
  check_equal(second, whole);
  CHECK(second.stopping.best_sum() == whole.stopping.best_sum());
  CHECK(second.stopping.best_sum_at() == whole.stopping.best_sum_at());
  CHECK(std::isnan(second.stopping.best(1)));
  CHECK(second.average.updates() == 11);
  CHECK(second.history.size() == 11);
  CHECK(second.balancer.buffers().size() == 2);
  CHECK(second.balancer.state().steps == 7);

  // Parts in another order.
  Rich third;
  auto parts = third.parts();
  std::ranges::reverse(parts);
  REQUIRE(third.run.resume(checkpoints, parts));
  check_equal(third, first);

  plait::WeightAverage<float> stray(std::make_shared<const plait::ParamTable>(), 0.5);
  CHECK_THROWS_WITH(first.run.save(checkpoints, {{"average", stray}}),
                    ContainsSubstring("plait::Checkpoints: average: got a table of 0 tensors"));
  first.run.progress.best = plait::Best<float>{};
  CHECK_THROWS_WITH(first.run.save(checkpoints),
                    ContainsSubstring("plait::Checkpoints: best: got a table of 0 tensors"));
  first.run.progress.best.reset();
  CHECK_THROWS_WITH(first.run.save(checkpoints, {{"a", first.random}, {"a", first.history}}),
                    "plait::Checkpoints: parts: got 'a' twice, expected names of their own");
  CHECK(checkpoints.paths().size() == 1);
}

TEST_CASE("checkpoint: parts of another run are refused, and nothing changes") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Rich run;
  for (int i = 0; i < 3; ++i) run.step();
  const std::string path = run.run.save(checkpoints, run.parts());
  const std::string from = "plait::" + path + ": ";

  Rich untouched, other;
  const auto refuses = [&](const CheckpointParts<float>& parts, const std::string& what) {
    CHECK_THROWS_WITH(other.run.resume(checkpoints, parts), ContainsSubstring(from + what));
    CHECK_THROWS_AS(other.run.resume(checkpoints, parts), plait::FormatError);
    check_equal(other, untouched);
  };
  refuses(
      {},
      "parts: got 'average history mean of gradients penalties random stopping sums the balancer "
      "weighting', expected '' as in this run");
  auto parts = other.parts();
  parts.pop_back();
  refuses(parts, "parts: got 'average ");
  parts = other.parts();
  parts.back() = {"others", other.sums};
  refuses(parts, "parts: got 'average ");
  // The last part refuses its state: what was read before it is not put in place either.
  other.sums.refused = 3;
  refuses(other.parts(),
          "state of sums: got plait::Sums: steps: got too many, expected fewer, expected one that "
          "this run's takes");
  other.sums.refused = -1;
  // Another number of buffers, of numbers, of tasks.
  parts = other.parts();
  plait::WeightAverage<float> average(other.run.model.shared_table(), 0.5);
  parts.back() = {"sums", other.random};
  refuses(parts, "buffers of sums: got 2, expected 0 as in this run");
  plait::EarlyStopping three({{}, {}, {}});
  parts = other.parts();
  parts[2] = {"stopping", three};
  refuses(parts, "state of stopping: got plait::EarlyStopping: state: got 16 numbers");
  parts = other.parts();
  parts[4] = {"mean of gradients", average};
  refuses(parts, "state of mean of gradients: got plait::CheckpointPart: numbers: got 1");
  plait::Random random;
  parts = other.parts();
  parts[6] = {"history", random};
  refuses(parts, "state of history: got plait::CheckpointPart: numbers: got 3");

  CHECK_THROWS_AS(other.run.resume(checkpoints, {{"a", other.random}, {"a", other.history}}),
                  plait::ConfigError);
  REQUIRE(other.run.resume(checkpoints, other.parts()));
  check_equal(other, run);
}
