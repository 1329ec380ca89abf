#include "train.hpp"

#include <cmath>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>

#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

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

// Predicts perfectly when it has trained for `good` epochs of ten rows, and the opposite before and
// after. Its one weight is the number of rows it has seen.
class Scripted final : public ranker::Learner {
 public:
  explicit Scripted(int good) : good_(good) {}

  Index num_parameters() const override { return 1; }
  double step(plait::View3<const float> x, plait::View3<const float> labels) override {
    CHECK(labels.batch() == x.batch());
    for (Index b = 0; b < x.batch(); ++b) seen.insert(static_cast<Index>(x(b, 0, 0)));
    batches.push_back(x.batch());
    weight += static_cast<int>(x.batch());
    return static_cast<double>(x.batch());
  }
  void score(plait::View3<const float> x, plait::View3<float> logits) override {
    const float sign = weight == 10 * good_ ? 1.0f : -1.0f;
    for (Index b = 0; b < x.batch(); ++b) {
      const float row = x(b, 0, 0);
      logits(b, 0, 0) = sign * (std::fmod(row, 2.0f) == 0 ? 1.0f : -1.0f);
      logits(b, 0, 1) = sign * row;
    }
  }
  plait::ExpertReport watch_experts(const ranker::Features&,
                                    std::span<const Index>) const override {
    return {};
  }
  void keep() override { kept_ = weight; }
  void restore() override { weight = kept_; }
  void save_checkpoint(plait::Checkpoints&, plait::Progress<float>& progress) const override {
    stored = {progress, weight, kept_};
    ++checkpoints;
  }
  plait::Resumed resume(const plait::Checkpoints&, plait::Progress<float>& progress) override {
    if (!from) return {};
    std::tie(progress, weight, kept_) = *from;
    return {"checkpoint", {}};
  }
  void resume_method(const plait::Progress<float>&) override { ++methods_resumed; }
  void end_epoch() override { ++epochs_ended; }
  void save(const std::string&, plait::View3<const float>) const override {}

  using Stored = std::tuple<plait::Progress<float>, int, int>;
  mutable std::optional<Stored> stored;
  std::optional<Stored> from;
  mutable int checkpoints = 0;
  int methods_resumed = 0;
  int epochs_ended = 0;

  int weight = 0;
  std::multiset<Index> seen;
  std::vector<Index> batches;

 private:
  int good_;
  int kept_ = 0;
};

class Recorder final : public ranker::Monitor {
 public:
  void begin_epoch(int number, Index rows) override {
    CHECK(number == first_epoch + static_cast<int>(epochs.size()));
    CHECK(rows == 10);
  }
  bool rows_done(Index) override { return --steps_left > 0; }
  void end_epoch(const ranker::Epoch& epoch) override { epochs.push_back(epoch); }
  void resumed(const plait::Resumed& from) override { resumed_from = from.path; }

  std::string resumed_from = "not asked";

  int first_epoch = 1;
  int steps_left = 1000;
  std::vector<ranker::Epoch> epochs;
};

}  // namespace

TEST_CASE("train: the best epoch's weights are the ones tested") {
  const Dataset data = dataset();
  Scripted learner(2);
  Recorder recorder;
  const auto run = ranker::train(learner, data, {.epochs = 4, .batch = 4, .seed = 3}, recorder);
  REQUIRE(run);
  CHECK(run->best_epoch == 2);
  CHECK(learner.weight == 20);
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
  Scripted learner(100);
  Recorder recorder;
  const auto run = ranker::train(learner, dataset(), {.epochs = 3, .batch = 10}, recorder);
  CHECK(run->best_epoch == 1);
  CHECK(learner.weight == 10);
}

TEST_CASE("train: every epoch visits every training row once, and only those") {
  Scripted learner(1);
  Recorder recorder;
  ranker::train(learner, dataset(), {.epochs = 3, .batch = 4}, recorder);
  CHECK(learner.batches == std::vector<Index>{4, 4, 2, 4, 4, 2, 4, 4, 2});
  CHECK(learner.seen.size() == 30);
  for (Index row = 0; row < 10; ++row) CHECK(learner.seen.count(row) == 3);
  // Batches of 4, 4 and 2 rows with losses 4, 4 and 2, weighted by their rows.
  CHECK(recorder.epochs[0].loss == Approx(3.6));
}

TEST_CASE("train: the monitor can end it") {
  Scripted learner(1);
  Recorder recorder;
  recorder.steps_left = 5;
  CHECK_FALSE(ranker::train(learner, dataset(), {.epochs = 3, .batch = 4}, recorder));
  CHECK(learner.batches.size() == 5);
  CHECK(recorder.epochs.size() == 1);
}

TEST_CASE("train: resumed from any checkpoint, it ends as if it had not stopped") {
  const files::Directory directory;
  plait::Checkpoints checkpoints(directory.path());
  const Dataset data = dataset();
  const ranker::Schedule schedule{.epochs = 4, .batch = 4};
  const ranker::Checkpointing checkpointing{
      .checkpoints = &checkpoints, .every = 1, .resume = true, .run = "this"};
  Scripted whole(2);
  Recorder expected;
  const auto expected_run = ranker::train(whole, data, schedule, expected, checkpointing);
  CHECK(expected.resumed_from.empty());
  CHECK(whole.checkpoints == 12);

  for (int steps = 1; steps <= 12; ++steps) {
    INFO("stopped after step " << steps);
    Scripted first(2);
    Recorder stopped;
    stopped.steps_left = steps;
    CHECK_FALSE(ranker::train(first, data, schedule, stopped, checkpointing));

    Scripted second(2);
    second.from = first.stored;
    Recorder rest;
    rest.first_epoch = static_cast<int>(stopped.epochs.size()) + 1;
    const auto run = ranker::train(second, data, schedule, rest, checkpointing);
    CHECK(rest.resumed_from == "checkpoint");
    CHECK(run->best_epoch == expected_run->best_epoch);
    CHECK(run->curve.size() == rest.epochs.size());
    CHECK(second.weight == whole.weight);
    CHECK(second.seen.size() + first.seen.size() == whole.seen.size());
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
  const files::Directory directory;
  plait::Checkpoints checkpoints(directory.path());
  const Dataset data = dataset();
  ranker::Schedule schedule{
      .epochs = 9, .batch = 4, .early_stop = plait::EarlyStoppingOptions{.patience = 2}};
  const ranker::Checkpointing checkpointing{
      .checkpoints = &checkpoints, .every = 1, .resume = true, .run = "this"};
  Scripted whole(2);  // epoch 2 is the last that gains
  Recorder expected;
  const auto run = ranker::train(whole, data, schedule, expected, checkpointing);
  CHECK(run->epochs == 4);
  CHECK(run->best_epoch == 2);
  CHECK(whole.weight == 20);
  CHECK(whole.epochs_ended == 4);
  REQUIRE(expected.epochs.size() == 4);
  CHECK_FALSE(expected.epochs[2].stop);
  CHECK(expected.epochs[3].stop);

  Scripted first(2);
  Recorder stopped;
  stopped.steps_left = 11;  // in the last epoch
  CHECK_FALSE(ranker::train(first, data, schedule, stopped, checkpointing));
  Scripted second(2);
  second.from = first.stored;
  Recorder rest;
  rest.first_epoch = 4;
  CHECK(ranker::train(second, data, schedule, rest, checkpointing)->epochs == 4);
  CHECK(second.methods_resumed == 1);
  CHECK(rest.epochs.size() == 1);
  CHECK(rest.epochs.back().stop);

  schedule.early_stop.reset();
  Scripted to_the_end(2);
  Recorder all;
  CHECK(ranker::train(to_the_end, data, schedule, all)->epochs == 9);
  CHECK_FALSE(all.epochs.back().stop);
}

TEST_CASE("train: a checkpoint of another run is refused") {
  const files::Directory directory;
  plait::Checkpoints checkpoints(directory.path());
  Scripted first(2);
  Recorder recorder;
  ranker::train(first, dataset(), {.epochs = 1, .batch = 4}, recorder,
                {.checkpoints = &checkpoints, .every = 2, .run = "this"});
  CHECK(first.checkpoints == 1);
  Scripted second(2);
  second.from = first.stored;
  CHECK_THROWS_WITH(ranker::train(second, dataset(), {.epochs = 1, .batch = 4}, recorder,
                                  {.checkpoints = &checkpoints, .resume = true, .run = "that"}),
                    "--resume: checkpoint is of another run: got this, expected that");
  CHECK(second.methods_resumed == 0);  // its method may be another
}

TEST_CASE("evaluate: an AUC without both classes is left out of the total") {
  Dataset data = dataset();
  data.labels.col(0).setZero();
  Scripted learner(0);  // good from the start
  const auto scores = ranker::evaluate(learner, data, data.test);
  CHECK(std::isnan(scores[0].auc));
  CHECK(scores[1].r2 == 1.0);
  CHECK(ranker::total_value(data.heads, scores) == 1.0);
}
