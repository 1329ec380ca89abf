// What a model goes through, whoever wrote its trunk: trained, saved, loaded, scored and watched.
#pragma once
#include <plait/io.hpp>
#include <plait/plait.hpp>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/files.hpp"

namespace model_life {

// A click, and a purchase of what was clicked.
struct Data {
  plait::Matrix<float> x{256, 8}, labels{256, 2};
  std::vector<plait::Head> heads{{.name = "click"}, {.name = "buy"}};
  Data() {
    plait::Random random(1);
    for (float& feature : x.reshaped()) feature = static_cast<float>(random.normal());
    labels.col(0) = (x.col(0).array() + x.col(1).array() > 0).cast<float>();
    labels.col(1) = labels.col(0).array() * (x.col(2).array() > 0).cast<float>();
  }
};

struct Seen {
  plait::Index shared = 0;  // numbers that both tasks reach, padding included
  plait::ExpertReport experts;
};

// For a trunk of 8 inputs and 2 tasks; `prototype` is what a registry needs to load it.
inline Seen check(plait::Trunk<float> trunk, plait::Trunk<float> prototype) {
  const Data data;
  plait::Model<float> model(std::move(trunk), {.hidden = {{8}}}, /*seed=*/1);
  plait::Trainer trainer(model, data.heads, plait::Adam{.learning_rate = 3e-3});
  const double before = trainer.step(data.x, data.labels);
  double loss = 0;
  for (int step = 1; step < 50; ++step) loss = trainer.step(data.x, data.labels);
  CHECK(loss < before);

  const files::Directory directory;
  plait::save(model, directory / "model", {.heads = data.heads});
  auto loaded = plait::load<float>(directory / "model",
                                   plait::Registry<float>().add_trunk(std::move(prototype)));
  plait::Matrix<float> trained(256, 2), logits(256, 2);
  trainer.score(data.x, trained);
  const plait::Scorer scorer(loaded.model);
  scorer.context().score(data.x, logits);
  CHECK(logits == trained);

  const plait::Scorer split(std::move(loaded.model), {.shared_inputs = {0, 1}});
  plait::Matrix<float> rows_of_user = data.x;
  rows_of_user.leftCols(2).rowwise() = data.x.topLeftCorner(1, 2).row(0);
  const plait::Matrix<float> user = data.x.topLeftCorner(1, 2), candidates = data.x.rightCols(6);
  plait::Matrix<float> by_user(256, 2);
  split.context().score(user, candidates, by_user);
  scorer.context().score(rows_of_user, logits);
  CHECK((by_user - logits).cwiseAbs().maxCoeff() < 1e-5F);

  Seen result;
  for (const plait::ParamRange& range : trainer.shared()) result.shared += range.size;
  plait::ExpertWatch watch(model);
  watch.add(data.x);
  result.experts = watch.report();
  return result;
}

}  // namespace model_life
