#include "models.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "balancers.hpp"
#include "errors.hpp"
#include "loss_weights.hpp"
#include "plait/core/tensor.hpp"
#include "plait/io/checkpoint.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/files.hpp"
#include "trainee.hpp"

namespace {

using plait::Index;

ranker::TraineeOptions config() {
  ranker::TraineeOptions result;
  result.input_dim = 4;
  result.heads = {
      {.name = "click"}, {.kind = plait::HeadKind::regression, .name = "dwell"}, {.name = "buy"}};
  result.sizes.levels = {8, 6};
  result.sizes.towers = {5};
  result.rule = ranker::make_rule("adam", 1e-2);
  return result;
}

double step(ranker::Trainee& trainee, plait::View3<const float> x,
            plait::View3<const float> labels) {
  return trainee.method.step(trainee.trainer, x, {.labels = labels});
}

}  // namespace

TEST_CASE("models: names are distinct and the baseline is first") {
  std::set<std::string_view> names;
  for (const auto& model : ranker::models()) names.insert(model.name);
  CHECK(names.size() == ranker::models().size());
  CHECK(ranker::models().front().name == ranker::baseline);
}

TEST_CASE("models: every model learns, and returns to the weights it kept") {
  plait::Random random(5);
  plait::Tensor<float> x(64, 1, 4);
  plait::Tensor<float> labels(64, 1, 3);
  plait::Tensor<float> kept(64, 1, 3);
  plait::Tensor<float> later(64, 1, 3);
  for (Index b = 0; b < 64; ++b) {
    for (Index d = 0; d < 4; ++d) x.view()(b, 0, d) = static_cast<float>(random.normal());
    const float z = x.view()(b, 0, 0);
    labels.view()(b, 0, 0) = z > 0 ? 1.0f : 0.0f;
    labels.view()(b, 0, 1) = z;
    labels.view()(b, 0, 2) = z > 1 ? 1.0f : 0.0f;
  }
  for (const auto& model : ranker::models()) {
    INFO(std::string(model.name));
    ranker::Trainee trainee(model, config());
    CHECK(trainee.model.table().num_parameters() > 0);
    const double first = step(trainee, x, labels);
    for (int i = 0; i < 60; ++i) step(trainee, x, labels);
    const auto values = trainee.model.values();
    trainee.trainer.score(x, kept);
    CHECK(step(trainee, x, labels) < 0.7 * first);
    trainee.trainer.score(x, later);
    CHECK_FALSE(later.view().of_slot(0) == kept.view().of_slot(0));
    trainee.trainer.load(values);
    trainee.trainer.score(x, later);
    CHECK(later.view().of_slot(0) == kept.view().of_slot(0));
  }
}

TEST_CASE("models: every model that has gates takes those it is told to") {
  const auto x = data::normal<float>(64, 4, 5);
  const plait::Matrix<float> labels = (x.leftCols(3).array() > 0).cast<float>();
  for (const bool per_example : {true, false}) {
    auto setting = config();
    setting.gate = {.dselect = plait::DSelectK{.per_example = per_example}};
    std::string with_gates;
    for (const auto& model : ranker::models()) {
      INFO(std::string(model.name));
      ranker::Trainee trainee(model, setting);
      const bool has =
          std::ranges::any_of(trainee.model.table().entries(), [&](const plait::ParamEntry& entry) {
            return entry.name.ends_with(per_example ? "0.z.weight" : "0.z") ||
                   entry.name.ends_with(per_example ? "1.z.weight" : "1.z");
          });
      if (!has) continue;
      with_gates += std::string(model.name) + ' ';
      const double first = step(trainee, x, labels);
      for (int i = 0; i < 60; ++i) step(trainee, x, labels);
      CHECK(step(trainee, x, labels) < 0.8 * first);
    }
    CHECK(with_gates == "mmoe ml-mmoe cgc ple adatt-sp adatt ");
  }
}

TEST_CASE("models: experts and towers drop numbers, and gates are noisy, where there are any") {
  const auto x = data::normal<float>(64, 4, 5);
  const plait::Matrix<float> labels = (x.leftCols(3).array() > 0).cast<float>();
  auto drops = config(), noisy = config();
  drops.sizes.dropout = 0.2;
  noisy.gate.noise.emplace();
  const std::set<std::string> without_bodies{"mtan", "snr-trans", "snr-aver", "branch"};
  const std::set<std::string> draw_anyway{"snr-trans", "snr-aver", "branch", "adashare"};
  std::string with_gates;
  for (const auto& model : ranker::models()) {
    const std::string name(model.name);
    INFO(name);
    ranker::Trainee plain(model, config()), trainee(model, drops), noised(model, noisy);
    CHECK(plain.model.network().draws() == draw_anyway.contains(name));
    CHECK(trainee.model.network().layer(1).draws());
    CHECK(trainee.model.trunk().draws() ==
          (!without_bodies.contains(name) || draw_anyway.contains(name)));
    if (noised.model.table().num_parameters() != plain.model.table().num_parameters())
      with_gates += name + ' ';
    for (ranker::Trainee* drawing : {&trainee, &noised}) {
      const double first = step(*drawing, x, labels);
      for (int i = 0; i < 80; ++i) step(*drawing, x, labels);
      CHECK(step(*drawing, x, labels) < 0.8 * first);
    }
  }
  CHECK(with_gates == "mmoe ml-mmoe cgc ple adatt-sp adatt ");
}

TEST_CASE("models: under every method a model learns, and goes on from a checkpoint bit for bit") {
  std::vector<ranker::Balancing> methods;
  for (const auto& entry : ranker::balancers())
    methods.push_back({.balancer = std::string(entry.name)});
  for (const auto& entry : ranker::loss_weights())
    methods.push_back({.loss_weights = std::string(entry.name)});
  const auto& shared_bottom = ranker::models()[1];
  REQUIRE(shared_bottom.name == "shared-bottom");
  const auto x = data::normal<float>(64, 4, 5);
  plait::Matrix<float> labels(64, 3);
  labels << (x.col(0).array() > 0).cast<float>(), x.col(1), (x.col(2).array() > 0.5f).cast<float>();
  const auto scores = [&](ranker::Trainee& trainee) {
    plait::Matrix<float> logits(64, 3);
    trainee.trainer.score(x, logits);
    return logits;
  };

  for (const auto& method : methods) {
    INFO(method.name());
    auto setting = config();
    setting.balancing = method;
    setting.task_weights = {.initial = {2, 1, 0.5}, .factor = {1, 0.5, 1}};
    ranker::Trainee plain(shared_bottom, config());
    ranker::Trainee trainee(shared_bottom, setting);
    const double first = step(trainee, x, labels);
    CHECK(step(plain, x, labels) == Approx(first));  // the loss is told unweighted
    for (int i = 0; i < 60; ++i) {
      step(trainee, x, labels);
      step(plain, x, labels);
      if (i % 20 == 19) trainee.method.end_epoch();
    }

    const files::Directory directory;
    plait::Checkpoints checkpoints(directory.path());
    plait::Progress<float> progress;
    checkpoints.save(trainee.trainer, progress, trainee.method.parts());
    ranker::Trainee second(shared_bottom, setting);
    REQUIRE(checkpoints.resume(second.trainer, progress, second.method.parts()));
    for (int i = 0; i < 5; ++i) CHECK(step(trainee, x, labels) == step(second, x, labels));
    CHECK(scores(trainee) == scores(second));
    CHECK(step(trainee, x, labels) < 0.8 * first);
    CHECK(scores(trainee) != scores(plain));
  }
}

TEST_CASE("models: experts that cannot be dealt out evenly are refused") {
  auto uneven = config().trunk();
  uneven.sizes.experts = 7;
  for (const auto& model : ranker::models()) {
    if (model.name != "ple" && model.name != "adatt-sp") continue;
    CHECK_THROWS_AS(model.trunk(uneven), ranker::UsageError);
  }
  uneven.sizes.shared_experts = 4;
  CHECK(uneven.experts_per_task(4) == 1);
  CHECK_THROWS_WITH(uneven.experts_per_task(0),
                    "--experts: got 7 with 0 shared, expected those and a multiple of 3 (the tasks "
                    "share the rest evenly)");
}
