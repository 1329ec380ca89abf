// A run over shuffled rows that can be stopped after any step, for tests of checkpoints.
#pragma once
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/mmoe.hpp"
#include "plait/io/checkpoint.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace checkpoints {

using plait::CheckpointParts;
using plait::Checkpoints;
using plait::Index;
using plait::Model;
using plait::Progress;

inline constexpr Index num_rows = 20;
inline constexpr Index batch = 4;
inline constexpr Index epochs = 3;

template <class S = float>
Model<S> make_model(Index experts = 2) {
  return {plait::MMoE{.input_dim = 3, .num_tasks = 2, .num_experts = experts, .expert = {4}},
          {.hidden = {{3}}},
          1};
}

struct Run {
  static plait::TrainerOptions default_options() {
    return {.optimizer = {.schedule = plait::Schedule::cosine(12), .clip_norm = 1.0}};
  }

  Model<float> model;
  plait::Trainer<float> trainer;
  Progress<float> progress{.random = plait::Random(3)};

  explicit Run(plait::Rule<float> rule = plait::Adam{.learning_rate = 0.05},
               plait::TrainerOptions options = default_options(),
               std::vector<plait::Head> heads = std::vector<plait::Head>(2),
               Model<float> of = make_model())
      : model(std::move(of)), trainer(model, std::move(heads), std::move(rule), options) {
    for (Index row = 0; row < num_rows; ++row) progress.order.push_back(row);
    progress.random.shuffle(progress.order);
  }

  // The next batch; false at the end. take(x, labels) makes a step on it.
  template <class Take>
  bool step(const Take& take) {
    if (progress.epoch == epochs) return false;
    plait::Matrix<float> x(batch, 3);
    plait::Matrix<float> labels(batch, 2);
    for (Index b = 0; b < batch; ++b) {
      const Index row = progress.order[static_cast<std::size_t>(progress.step * batch + b)];
      x.row(b) << static_cast<float>(row % 5) / 4, static_cast<float>(row % 3), 0.5f;
      labels.row(b) << static_cast<float>(row % 2), static_cast<float>(row % 3 == 0);
    }
    take(x, labels);
    if (++progress.step == num_rows / batch) {
      progress.best = plait::Best<float>{0.1 * static_cast<double>(progress.epoch), progress.epoch,
                                         model.values()};
      progress.step = 0;
      ++progress.epoch;
      progress.random.shuffle(progress.order);
    }
    return true;
  }
  bool step() {
    return step([&](const auto& x, const auto& labels) { trainer.step(x, labels); });
  }
  void finish() {
    while (step()) {
    }
  }
  plait::Resumed resume(Checkpoints& checkpoints, const CheckpointParts<float>& parts = {},
                        const plait::ResumeOptions& options = {}) {
    return checkpoints.resume(trainer, progress, parts, options);
  }
  std::string save(Checkpoints& checkpoints, const CheckpointParts<float>& parts = {}) const {
    return checkpoints.save(trainer, progress, parts);
  }
};

inline void check_equal(const Run& a, const Run& b) {
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

}  // namespace checkpoints
