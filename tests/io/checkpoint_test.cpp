#include "plait/io/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "plait/layers/mmoe.hpp"
#include "plait/layers/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/testing/data.hpp"
#include "plait/train/early_stopping.hpp"
#include "plait/train/gradient_mean.hpp"
#include "plait/train/trainer.hpp"
#include "plait/train/weight_average.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

using plait::Checkpoints;
using plait::Index;
using plait::Progress;
using Model = plait::Model<plait::MMoE<float>>;

constexpr Index num_rows = 20;
constexpr Index batch = 4;
constexpr Index epochs = 3;

Model make_model(Index experts = 2) {
  plait::MMoE<float>::Config config;
  config.input_dim = 3;
  config.num_tasks = 2;
  config.num_experts = experts;
  config.expert = {4};
  return Model(config, {.hidden = {plait::MLPConfig{3}}}, 1);
}

// A run over shuffled rows that can be stopped after any step.
struct Run {
  Model model = make_model();
  plait::Trainer<Model> trainer;
  Progress<float> progress{.random = plait::Random(3)};

  explicit Run(plait::Schedule schedule = plait::Schedule::cosine(12),
               plait::Adam adam = {.learning_rate = 0.05})
      : trainer(model, std::vector<plait::Head>(2), adam,
                {.optimizer = {.schedule = schedule, .clip_norm = 1.0}}) {
    for (Index row = 0; row < num_rows; ++row) progress.order.push_back(row);
    progress.random.shuffle(progress.order);
  }

  // The next batch; false at the end.
  bool step() {
    if (progress.epoch == epochs) return false;
    plait::Matrix<float> x(batch, 3);
    plait::Matrix<float> labels(batch, 2);
    for (Index b = 0; b < batch; ++b) {
      const Index row = progress.order[static_cast<std::size_t>(progress.step * batch + b)];
      x.row(b) << static_cast<float>(row % 5) / 4, static_cast<float>(row % 3), 0.5f;
      labels.row(b) << static_cast<float>(row % 2), static_cast<float>(row % 3 == 0);
    }
    trainer.step(x, labels);
    if (++progress.step == num_rows / batch) {
      progress.best = plait::Best<float>{0.1 * static_cast<double>(progress.epoch), progress.epoch,
                                         model.values()};
      progress.step = 0;
      ++progress.epoch;
      progress.random.shuffle(progress.order);
    }
    return true;
  }
  void finish() {
    while (step()) {
    }
  }
  plait::Resumed resume(const Checkpoints& checkpoints) {
    return checkpoints.resume(model.values(), trainer.optimizer(), progress);
  }
  std::string save(Checkpoints& checkpoints) {
    return checkpoints.save(model.values(), trainer.optimizer(), progress);
  }
};

void check_equal(const Run& a, const Run& b) {
  CHECK(std::ranges::equal(a.model.values().flat(), b.model.values().flat()));
  REQUIRE(a.trainer.optimizer().steps() == b.trainer.optimizer().steps());
  for (std::size_t k = 0; k < a.trainer.optimizer().moments().size(); ++k)
    CHECK(std::ranges::equal(a.trainer.optimizer().moments()[k].flat(),
                             b.trainer.optimizer().moments()[k].flat()));
  CHECK(a.progress.order == b.progress.order);
  CHECK(a.progress.random.state() == b.progress.random.state());
  REQUIRE(a.progress.best.has_value() == b.progress.best.has_value());
  if (!a.progress.best) return;
  CHECK(a.progress.best->metric == b.progress.best->metric);
  CHECK(a.progress.best->epoch == b.progress.best->epoch);
  CHECK(std::ranges::equal(a.progress.best->values.flat(), b.progress.best->values.flat()));
}

}  // namespace

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
  const Checkpoints checkpoints(directory.path());
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
  CHECK_THAT(resumed.rejected[0].reason, Catch::Contains("as the header describes"));
  CHECK(resumed.rejected[1].path == paths[2]);
  CHECK_THAT(resumed.rejected[1].reason, Catch::Contains("data: got checksum "));
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
  CHECK_THROWS_WITH(
      second.resume(checkpoints),
      "plait::" + directory.path() + ": checkpoints: got plait::" + directory.path() +
          "/checkpoint-000000002.safetensors: header length: got 4050765991979987505, expected at "
          "most 0; plait::" +
          directory.path() +
          "/checkpoint-000000001.safetensors: file: got 0 bytes, expected at least 8, expected one "
          "that is whole");
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

  Run other_schedule(plait::Schedule::cosine(13));
  CHECK_THROWS_WITH(other_schedule.resume(checkpoints),
                    Catch::Contains("plait::" + path + ": plait.schedule: got '") &&
                        Catch::Contains("as in this run"));
  Run other_rate(plait::Schedule::cosine(12), {.learning_rate = 0.06});
  CHECK_THROWS_WITH(other_rate.resume(checkpoints), Catch::Contains("plait.parameter_settings"));
  Run other_moments(plait::Schedule::cosine(12), {.learning_rate = 0.05, .amsgrad = true});
  CHECK_THROWS_WITH(other_moments.resume(checkpoints), Catch::Contains("plait.moments"));
  CHECK(other_moments.trainer.optimizer().steps() == 0);

  Model larger = make_model(3);
  const auto before = larger.values();
  Progress<float> progress;
  plait::Optimizer<float> optimizer(larger.values().shared_table(),
                                    plait::Adam{.learning_rate = 0.05},
                                    {.schedule = plait::Schedule::cosine(12), .clip_norm = 1.0});
  CHECK_THROWS_AS(checkpoints.resume(larger.values(), optimizer, progress), plait::FormatError);
  CHECK(std::ranges::equal(larger.values().flat(), before.flat()));

  plait::ParamBuffer<double> wide(run.model.values().shared_table());
  plait::Optimizer<double> wide_optimizer(
      wide.shared_table(), plait::Adam{.learning_rate = 0.05},
      {.schedule = plait::Schedule::cosine(12), .clip_norm = 1.0});
  Progress<double> wide_progress;
  CHECK_THROWS_WITH(checkpoints.resume(wide, wide_optimizer, wide_progress),
                    Catch::Contains("got F32, expected F64"));
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

TEST_CASE("checkpoint: what runs beside the optimizer goes on bit for bit") {
  // Early stopping, an average of the weights and a gradient made of two batches' on top of a run.
  struct Rich {
    Run run;
    plait::EarlyStopping stopping{{{}, {.better = plait::Better::lower}}};
    plait::WeightAverage<float> average{run.model.values().shared_table(), 0.9};
    plait::GradientMean<float> mean{run.model.values().shared_table()};

    void step() {
      run.step();
      const auto t = static_cast<double>(run.trainer.optimizer().steps());
      stopping.update(std::array{std::sin(t), std::numeric_limits<double>::quiet_NaN()});
      average.update(run.model.values());
      mean.add(run.trainer.gradient(), t);
    }
    void save(Checkpoints& checkpoints) {
      run.progress.numbers = {
          {"stopping", stopping.state()}, {"mean", {mean.weight()}}, {"nothing", {}}};
      run.progress.buffers = {{"average", average.values()}, {"mean.of gradients", mean.values()}};
      run.progress.notes["updates"] = std::to_string(average.updates());
      run.save(checkpoints);
    }
    void resume(const Checkpoints& checkpoints) {
      REQUIRE(run.resume(checkpoints));
      stopping.restore(run.progress.numbers.at("stopping"));
      average.restore(std::stol(run.progress.notes.at("updates")),
                      run.progress.buffers.at("average"));
      mean.restore(run.progress.numbers.at("mean").at(0),
                   run.progress.buffers.at("mean.of gradients"));
    }
  };
  Rich whole, first, second;
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  for (int i = 0; i < 11; ++i) {
    whole.step();
    if (i < 4) first.step();
  }
  first.save(checkpoints);
  second.resume(checkpoints);
  CHECK(second.run.progress.numbers.at("nothing").empty());
  for (int i = 4; i < 11; ++i) second.step();
  check_equal(second.run, whole.run);
  CHECK(second.stopping.best_sum() == whole.stopping.best_sum());
  CHECK(second.stopping.best_sum_at() == whole.stopping.best_sum_at());
  CHECK(std::isnan(second.stopping.best(1)));
  CHECK(second.average.updates() == 11);
  CHECK(std::ranges::equal(second.average.values().flat(), whole.average.values().flat()));
  CHECK(std::ranges::equal(second.mean.values().flat(), whole.mean.values().flat()));

  first.run.progress.buffers.at("average") = plait::ParamBuffer<float>();
  CHECK_THROWS_WITH(first.run.save(checkpoints),
                    Catch::Contains("plait::Checkpoints: average: got a table of 0 tensors"));
  CHECK(checkpoints.paths().size() == 1);
}
