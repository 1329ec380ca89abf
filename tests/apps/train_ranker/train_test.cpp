#include "train.hpp"
#include "evaluate.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "errors.hpp"
#include "plait/methods/scheduled_weights.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/sgd.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::EndsWith;
using plait::Index;
using ranker::Dataset;

// One binary and one regression task; input and regression label of row i are i.
Dataset dataset() {
  Dataset data;
  data.heads = {{.name = "click"}, {.kind = plait::HeadKind::regression, .name = "dwell"}};
  data.features.dense.resize(20, 1);
  data.features.hot.resize(20, 0);
  data.labels.resize(20, 2);
  for (Index row = 0; row < 20; ++row) {
    data.features.dense(row, 0) = static_cast<float>(row);
    data.labels(row, 0) = row % 2 == 0 ? 1.0f : 0.0f;
    data.labels(row, 1) = static_cast<float>(row);
    auto& part = row < 10 ? data.train : row < 15 ? data.validation : data.test;
    part.push_back(row);
  }
  return data;
}

// What a scripted model was trained on.
struct Seen {
  std::multiset<Index> rows;
  std::vector<Index> batches;
};

template <class Scalar>
class ScriptedLayer;

// A trunk that predicts perfectly when it has trained for `good` epochs of ten rows, and the
// opposite before and after. Its one weight is the number of rows it has seen: with SGD and a rate
// of 1, as many as its gradient says.
struct Scripted {
  int good = 0;
  Seen* seen = nullptr;
  template <class Scalar>
  using Layer = ScriptedLayer<Scalar>;
};

template <class Scalar_>
class ScriptedLayer {
 public:
  using Scalar = Scalar_;
  struct Workspace {};

  ScriptedLayer(plait::ParamTable& table, const std::string& name, const Scripted& script)
      : script_(script), rows_(table.add_vector(name + ".rows", 1, plait::Init::constant(0))) {}
  plait::Shape in_shape() const { return {1, 1}; }
  plait::Shape out_shape() const { return {2, 1}; }

  void forward(plait::ParamView<Scalar> theta, plait::View3<const Scalar> x, plait::View3<Scalar> y,
               Workspace*, plait::Scratch&) const {
    const bool good = *theta.data(rows_) == static_cast<Scalar>(10 * script_.good);
    const Scalar sign = good ? Scalar(1) : Scalar(-1);
    for (Index b = 0; b < x.batch(); ++b) {
      const Scalar row = x(b, 0, 0);
      y(b, 0, 0) = sign * (std::fmod(row, Scalar(2)) == 0 ? Scalar(1) : Scalar(-1));
      y(b, 1, 0) = sign * row;
    }
  }
  void backward(plait::ParamView<Scalar>, plait::View3<const Scalar> x, plait::View3<const Scalar>,
                plait::View3<const Scalar>, plait::View3<Scalar>, const Workspace&,
                plait::GradView<Scalar> grad, plait::Scratch&) const {
    for (Index b = 0; b < x.batch(); ++b) script_.seen->rows.insert(static_cast<Index>(x(b, 0, 0)));
    script_.seen->batches.push_back(x.batch());
    *grad.add_to(rows_).data -= static_cast<Scalar>(x.batch());
  }

 private:
  Scripted script_;
  plait::ParamId rows_;
};

plait::Model<float> scripted_model(const Scripted& script) {
  auto model = plait::Model<float>::zeros(script, {});
  for (const char* tower : {"task_modules.0", "task_modules.1"})  // hand the trunk's numbers on
    model.values_of(std::string(tower) + ".1.weight")[0] = 1;
  return model;
}

struct Learner {
  explicit Learner(int good, double rate = 1)
      : model(scripted_model({good, &seen})),
        trainer(model, dataset().heads, plait::SGD{.learning_rate = rate},
                {.optimizer = {.groups = {{.pattern = "task_modules*", .frozen = true}}}}) {}
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  float weight() const { return model.values().of("mtl_arch.rows")[0]; }
  const plait::MethodState& method_state() const { return method.loss_weights->state(); }

  Seen seen;
  plait::Model<float> model;
  plait::Trainer<float> trainer;
  // One that counts the epochs.
  ranker::Method method{.loss_weights = plait::LossWeighting(
                            plait::ScheduledWeights{.initial = {1, 1}, .factor = {0.5, 1}}, 2)};
};

auto train(Learner& learner, const Dataset& data, const ranker::Schedule& schedule,
           ranker::Monitor& monitor, const ranker::Checkpointing& checkpointing = {}) {
  return ranker::train(learner.trainer, learner.method, data, schedule, monitor, checkpointing);
}

class Recorder final : public ranker::Monitor {
 public:
  void begin_epoch(int number, Index rows) override {
    CHECK(number == first_epoch + static_cast<int>(epochs.size()));
    CHECK(rows == 10);
  }
  bool rows_done(Index) override { return --steps_left > 0; }
  void end_epoch(const ranker::Epoch& epoch) override { epochs.push_back(epoch); }
  void ended(int best_epoch) override { ended_with = best_epoch; }
  void resumed(const plait::Resumed& from) override { resumed_from = from.path; }

  int ended_with = -1;

  std::string resumed_from = "not asked";

  int first_epoch = 1;
  int steps_left = 1000;
  std::vector<ranker::Epoch> epochs;
};

ranker::Checkpointing every_step(plait::Checkpoints& checkpoints) {
  return {.checkpoints = &checkpoints, .every = 1, .resume = true, .run = "this"};
}

// NaN equals itself.
std::array<std::uint64_t, 4> bits(const ranker::TaskScore& score) {
  return std::bit_cast<std::array<std::uint64_t, 4>>(
      std::array{score.auc, score.ne, score.mse, score.r2});
}

}  // namespace

TEST_CASE("train: the best epoch's weights are the ones tested") {
  const Dataset data = dataset();
  Learner learner(2);
  Recorder recorder;
  const auto run = train(learner, data, {.epochs = 4, .batch = 4, .seed = 3}, recorder);
  REQUIRE(run);
  CHECK(run->best_epoch == 2);
  CHECK(learner.weight() == 20);
  CHECK(run->test[0].auc == 1.0);
  CHECK(run->test[1].mse == 0.0);
  CHECK(run->test[1].r2 == 1.0);
  CHECK(run->seed == 3);
  REQUIRE(run->curve.size() == 4);
  for (std::size_t e = 0; e < 4; ++e) {
    CHECK(run->curve[e].number == static_cast<int>(e) + 1);
    CHECK(run->curve[e].loss == recorder.epochs[e].loss);
    CHECK(run->curve[e].validation[0].auc == recorder.epochs[e].validation[0].auc);
  }

  REQUIRE(recorder.epochs.size() == 4);
  CHECK(recorder.epochs[0].best);
  CHECK(recorder.epochs[1].best);
  CHECK_FALSE(recorder.epochs[2].best);
  CHECK(recorder.epochs[1].total == Approx(2));
  CHECK(recorder.epochs[0].validation[0].auc == 0.0);
}

TEST_CASE("train: equal epochs keep the first") {
  Learner learner(100);
  Recorder recorder;
  const auto run = train(learner, dataset(), {.epochs = 3, .batch = 10}, recorder);
  CHECK(run->best_epoch == 1);
  CHECK(learner.weight() == 10);
}

TEST_CASE("train: every epoch visits every training row once, and only those") {
  Learner learner(1);
  Recorder recorder;
  train(learner, dataset(), {.epochs = 3, .batch = 4}, recorder);
  CHECK(learner.seen.batches == std::vector<Index>{4, 4, 2, 4, 4, 2, 4, 4, 2});
  CHECK(learner.seen.rows.size() == 30);
  for (Index row = 0; row < 10; ++row) CHECK(learner.seen.rows.count(row) == 3);
  // The mean over the rows, whatever the batches: the logit 1 for the wrong class, and -row for
  // row.
  CHECK(recorder.epochs[0].loss == Approx(std::log1p(std::exp(1)) + 4 * 28.5));
}

TEST_CASE("train: the monitor can end it") {
  Learner learner(1);
  Recorder recorder;
  recorder.steps_left = 5;
  CHECK_FALSE(train(learner, dataset(), {.epochs = 3, .batch = 4}, recorder));
  CHECK(learner.seen.batches.size() == 5);
  CHECK(recorder.epochs.size() == 1);
  CHECK(recorder.ended_with == 1);
}

TEST_CASE("train: ended, it leaves a checkpoint of its last step and the best weights") {
  for (const int steps : {1, 2, 3, 8, 10}) {
    INFO("ended after step " << steps);
    const files::Directory directory;
    plait::Checkpoints checkpoints(directory.path());
    const ranker::Checkpointing rarely{
        .checkpoints = &checkpoints, .every = 1000, .resume = true, .run = "this"};
    Recorder recorder;
    recorder.steps_left = steps;
    Learner first(2);
    CHECK_FALSE(train(first, dataset(), {.epochs = 4, .batch = 4}, recorder, rarely));
    REQUIRE(checkpoints.paths().size() == 1);
    const int epochs = (steps - 1) / 3;  // of three steps
    CHECK(recorder.ended_with == std::min(epochs, 2));
    const int rows[] = {4, 8, 10};
    const int trained = epochs == 0 ? rows[steps - 1] : 10 * std::min(epochs, 2);
    CHECK(first.weight() == static_cast<float>(trained));
    // What was done is not done again.
    Learner second(2);
    Recorder rest;
    rest.first_epoch = epochs + 1;
    const auto run = train(second, dataset(), {.epochs = 4, .batch = 4}, rest, rarely);
    CHECK(run->best_epoch == 2);
    CHECK(first.seen.batches.size() + second.seen.batches.size() == 12);
  }
}

TEST_CASE("train: numbers that end a run are told with its epoch, and the checkpoints are whole") {
  const files::Directory directory;
  plait::Checkpoints checkpoints(directory.path());
  // Every row moves the weight by so much that float does not hold it for long.
  Learner first(2, 1e37);
  Recorder recorder;
  CHECK_THROWS_MATCHES(
      train(first, dataset(), {.epochs = 90, .batch = 4}, recorder,
            {.checkpoints = &checkpoints, .every = 1, .run = "this"}),
      ranker::RunError,
      Catch::Matchers::Message("epoch " + std::to_string(recorder.epochs.size() + 1) +
                               ": plait::Optimizer: values: got NaN or infinity after the "
                               "update, expected finite numbers"));
  CHECK(recorder.epochs.size() >= 1);
  Learner second(2, 1e37);
  plait::Progress<float> progress{.order = dataset().train};
  std::array<double, 1> loss{};
  std::vector<double> curve;
  auto parts = second.method.parts();
  parts.push_back({"loss", loss});
  parts.push_back({"curve", curve});
  checkpoints.resume(second.trainer, progress, parts);
  CHECK(std::isfinite(second.weight()));
  CHECK(curve.size() == 11 * recorder.epochs.size());

  // Finite weights, and a prediction that is not.
  for (const Index row : {12, 17}) {  // validation, test
    Learner third(2);
    auto values = third.model.values();
    values.of("task_modules.1.1.weight")[0] = 10;
    third.trainer.load(values);
    Dataset data = dataset();
    data.features.dense(row, 0) = 1e38f;
    Recorder of_third;
    CHECK_THROWS_MATCHES(
        train(third, data, {.epochs = 1, .batch = 4}, of_third), ranker::RunError,
        Catch::Matchers::Message(
            "epoch 1: plait::Trainer: logits: got NaN or infinity, expected finite numbers"));
  }
}

TEST_CASE("train: resumed from any checkpoint, it ends as if it had not stopped") {
  const Dataset data = dataset();
  const ranker::Schedule schedule{.epochs = 4, .batch = 4};
  const files::Directory of_whole;
  plait::Checkpoints kept(of_whole.path());
  Learner whole(2);
  Recorder expected;
  const auto expected_run = train(whole, data, schedule, expected, every_step(kept));
  CHECK(expected.resumed_from.empty());
  CHECK(kept.paths().back().ends_with("-000000012.safetensors"));

  for (int steps = 1; steps <= 12; ++steps) {
    INFO("stopped after step " << steps);
    const files::Directory directory;
    plait::Checkpoints checkpoints(directory.path());
    Learner first(2);
    Recorder stopped;
    stopped.steps_left = steps;
    CHECK_FALSE(train(first, data, schedule, stopped, every_step(checkpoints)));
    const std::string newest = checkpoints.paths().back();

    Learner second(2);
    Recorder rest;
    rest.first_epoch = static_cast<int>(stopped.epochs.size()) + 1;
    const auto run = train(second, data, schedule, rest, every_step(checkpoints));
    CHECK(rest.resumed_from == newest);
    CHECK(run->best_epoch == expected_run->best_epoch);
    CHECK(run->epochs == 4);
    REQUIRE(run->curve.size() == 4);
    for (std::size_t e = 0; e < 4; ++e) {
      const auto& same = expected_run->curve[e];
      CHECK(run->curve[e].number == same.number);
      CHECK(run->curve[e].loss == same.loss);
      CHECK(run->curve[e].total == same.total);
      CHECK(run->curve[e].best == same.best);
      for (std::size_t t = 0; t < 2; ++t) {
        CHECK(bits(run->curve[e].validation[t]) == bits(same.validation[t]));
      }
    }
    CHECK(second.weight() == whole.weight());
    CHECK(second.seen.rows.size() + first.seen.rows.size() == whole.seen.rows.size());
    CHECK(second.method_state().steps == whole.method_state().steps);
    CHECK(second.method_state().numbers == whole.method_state().numbers);
    for (const auto& epoch : rest.epochs) {
      const auto& same = expected.epochs[static_cast<std::size_t>(epoch.number - 1)];
      CHECK(epoch.loss == same.loss);
      CHECK(epoch.total == same.total);
      CHECK(epoch.best == same.best);
    }
  }
}

TEST_CASE(
    "train: early stopping ends it, resumed or not, and the best epoch is still the one tested") {
  const Dataset data = dataset();
  ranker::Schedule schedule{
      .epochs = 9, .batch = 4, .early_stop = plait::EarlyStoppingOptions{.patience = 2}};
  Learner whole(2);  // epoch 2 is the last that gains
  Recorder expected;
  const auto run = train(whole, data, schedule, expected);
  CHECK(run->epochs == 4);
  CHECK(run->best_epoch == 2);
  CHECK(whole.weight() == 20);
  // The weights of epoch 4, after three ended.
  CHECK(whole.method.loss_weights->weights()[0] == 0.125);
  REQUIRE(expected.epochs.size() == 4);
  CHECK_FALSE(expected.epochs[2].stop);
  CHECK(expected.epochs[3].stop);

  const files::Directory directory;
  plait::Checkpoints checkpoints(directory.path());
  Learner first(2);
  Recorder stopped;
  stopped.steps_left = 11;  // in the last epoch
  CHECK_FALSE(train(first, data, schedule, stopped, every_step(checkpoints)));
  Learner second(2);
  Recorder rest;
  rest.first_epoch = 4;
  CHECK(train(second, data, schedule, rest, every_step(checkpoints))->epochs == 4);
  CHECK(second.method_state().steps == 12);
  CHECK(second.method_state().numbers == whole.method_state().numbers);
  CHECK(rest.epochs.size() == 1);
  CHECK(rest.epochs.back().stop);

  schedule.early_stop.reset();
  Learner to_the_end(2);
  Recorder all;
  CHECK(train(to_the_end, data, schedule, all)->epochs == 9);
  CHECK_FALSE(all.epochs.back().stop);
}

TEST_CASE("train: a checkpoint of another run is refused") {
  const files::Directory directory;
  plait::Checkpoints checkpoints(directory.path());
  Learner first(2);
  Recorder recorder;
  train(first, dataset(), {.epochs = 1, .batch = 4}, recorder,
        {.checkpoints = &checkpoints, .every = 2, .run = "this"});
  REQUIRE(checkpoints.paths().size() == 1);
  const std::string path = checkpoints.paths().front();
  const auto resume = [&](Learner& learner) {
    train(learner, dataset(), {.epochs = 1, .batch = 4}, recorder,
          {.checkpoints = &checkpoints, .resume = true, .run = "that"});
  };
  Learner second(2);
  CHECK_THROWS_WITH(resume(second),
                    "--resume: " + path + " is of another run: got this, expected that");
  CHECK(second.method_state().steps == 0);
  CHECK(second.weight() == 0);
  // As well where its method is another.
  Learner third(2);
  third.method = {};
  CHECK_THROWS_WITH(resume(third),
                    "--resume: " + path + " is of another run: got this, expected that");
  // Of the options those that differ are told, in one line.
  for (const auto& [run, told] : std::vector<std::pair<std::string, std::string>>{
           {"--models=mmoe --levels=64,32 --batch=4",
            "got --levels=64,32 --batch=4, expected --levels=64 --batch=5"},
           {"--models=mmoe --levels=64 --batch=5 --more=1", "got --more=1, expected none"},
           {"--models=a\x1b[2J\n --levels=64 --batch=5",
            "got --models=a\\x1b[2J\\x0a, expected --models=mmoe"},
           {"--models=\xe2\x80\xae\xc2\x9b --levels=64 --batch=5",
            "got --models=\\xe2\\x80\\xae\\xc2\\x9b, expected --models=mmoe"},
           {"--models=" + std::string(190, 'a') + "\xc3\xa9\xc3\xa9 --levels=64 --batch=5",
            "got --models=" + std::string(190, 'a') + "..., expected --models=mmoe"}}) {
    const files::Directory of_run;
    plait::Checkpoints kept(of_run.path());
    Learner stored(2);
    Recorder of_stored;
    train(stored, dataset(), {.epochs = 1, .batch = 4}, of_stored,
          {.checkpoints = &kept, .every = 2, .run = run});
    Learner wanted(2);
    CHECK_THROWS_WITH(
        train(wanted, dataset(), {.epochs = 1, .batch = 4}, recorder,
              {.checkpoints = &kept, .resume = true, .run = "--models=mmoe --levels=64 --batch=5"}),
        EndsWith("is of another run: " + told));
  }
  // A newer one that is torn does not hide it.
  files::write(directory / "checkpoint-000000002.safetensors", "torn");
  CHECK_THROWS_WITH(resume(second),
                    "--resume: " + path + " is of another run: got this, expected that");
}

TEST_CASE("train: a run goes on with another learning rate when it is told to") {
  const files::Directory directory;
  plait::Checkpoints checkpoints(directory.path());
  Recorder recorder;
  recorder.steps_left = 2;
  Learner first(2);
  train(first, dataset(), {.epochs = 1, .batch = 4}, recorder,
        {.checkpoints = &checkpoints, .every = 1, .run = "--batch=4 --learning-rate=1"});
  const auto go_on = [&](Learner& learner, bool new_rate, const std::string& run) {
    Recorder rest;
    train(learner, dataset(), {.epochs = 1, .batch = 4}, rest,
          {.checkpoints = &checkpoints,
           .every = 1,
           .resume = true,
           .run = run,
           .new_learning_rate = new_rate});
  };
  Learner second(2, 0.5);
  CHECK_THROWS_WITH(go_on(second, false, "--batch=4 --learning-rate=0.5"),
                    EndsWith("got --learning-rate=1, expected --learning-rate=0.5"));
  CHECK_THROWS_WITH(go_on(second, true, "--batch=5 --learning-rate=0.5"),
                    EndsWith("got --batch=4, expected --batch=5"));
  CHECK(second.weight() == 0);
  go_on(second, true, "--batch=4 --learning-rate=0.5");
  CHECK(second.weight() == 9);  // 8 rows at the old rate, 2 at the new
  // What it wrote is of the new rate.
  Learner third(2, 0.5);
  go_on(third, false, "--batch=4 --learning-rate=0.5");
  CHECK(third.weight() == 9);
}

TEST_CASE("train: a checkpoint of a place that no run is at is refused") {
  const files::Directory directory;
  plait::Checkpoints checkpoints(directory.path());
  Recorder recorder;
  recorder.steps_left = 5;  // two of the second epoch
  Learner first(2);
  train(first, dataset(), {.epochs = 3, .batch = 4}, recorder,
        {.checkpoints = &checkpoints, .every = 2, .run = "this"});
  const std::string path = checkpoints.paths().back();
  const std::string bytes = files::contents(path);
  const auto resumes = [&](const std::function<void(files::Parts&)>& change) {
    files::write(path, files::resealed(bytes, change));
    Learner learner(2);
    Recorder rest;
    rest.first_epoch = 2;
    train(learner, dataset(), {.epochs = 3, .batch = 4}, rest, every_step(checkpoints));
  };
  const auto meta = [&](const std::string& key, const std::string& value) {
    return [=](files::Parts& parts) { parts.meta(key) = value; };
  };
  for (const std::string step : {"4", "10"})
    CHECK_THROWS_WITH(resumes(meta("plait.step", step)),
                      EndsWith(": step: got " + step + ", expected one that a run has"));
  CHECK_THROWS_AS(resumes(meta("plait.step", "11")), plait::FormatError);
  CHECK_THROWS_AS(resumes(meta("plait.step", "9223372036854775807")), plait::FormatError);
  CHECK_THROWS_WITH(resumes(meta("plait.epoch", "2147483648")), ContainsSubstring(": epoch: got "));
  for (const std::string best : {"0", "2", "4294967297"})
    CHECK_THROWS_WITH(resumes(meta("plait.best_epoch", best)),
                      ContainsSubstring(": best epoch: got " + best));
  // Rows of the validation in place of those to train on, rows that there are not, too few of them.
  for (const std::int64_t row : {std::int64_t{10}, std::int64_t{-1}, std::int64_t{1} << 60})
    CHECK_THROWS_AS(resumes([&](files::Parts& parts) {
                      for (std::size_t i = 0; i < parts.data.size(); ++i)
                        if (parts.header.tensors[i].name == "order")
                          std::memcpy(parts.data[i].data() + 8, &row, 8);
                    }),
                    plait::FormatError);
  // The curve is of the epochs before.
  for (const std::size_t numbers : {0, 10, 12, 22})
    CHECK_THROWS_WITH(resumes([&](files::Parts& parts) {
                        for (std::size_t i = 0; i < parts.data.size(); ++i)
                          if (parts.header.tensors[i].name == "numbers.2") {
                            parts.data[i].resize(8 * numbers);
                            parts.header.tensors[i].shape = {numbers};
                          }
                      }),
                      EndsWith(": curve: got " + std::to_string(numbers) +
                               " numbers, expected 11 for each of 1 epochs"));
  // The part named loss is one number.
  CHECK_THROWS_WITH(resumes([&](files::Parts& parts) {
                      for (std::size_t i = 0; i < parts.data.size(); ++i)
                        if (parts.header.tensors[i].name == "numbers.1") {
                          parts.data[i].clear();
                          parts.header.tensors[i].shape = {0};
                        }
                    }),
                    ContainsSubstring("state of loss: got plait::CheckpointPart: numbers: got 0"));
}

TEST_CASE("evaluate: an AUC without both classes is left out of the total") {
  Dataset data = dataset();
  data.labels.col(0).setZero();
  Learner learner(0);  // good from the start
  const auto scores = ranker::evaluate(learner.trainer, data, data.test);
  CHECK(std::isnan(scores[0].auc));
  CHECK(scores[1].r2 == 1.0);
  CHECK(ranker::total_value(data.heads, scores) == 1.0);
}
