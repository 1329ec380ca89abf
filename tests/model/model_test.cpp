// Model: a trunk, its towers and their numbers.
#include "plait/model/model.hpp"

#include <algorithm>
#include <vector>

#include "plait/architectures/adatt.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/testing/data.hpp"
#include "support/catch.hpp"
#include "support/own_trunk.hpp"

using namespace plait;

namespace {

const MMoE trunk{.input_dim = 4, .num_tasks = 2, .num_experts = 3, .expert = {5}};
const TowersConfig towers{.hidden = {{3}}, .outputs = {1, 2}};
const TowersConfig with_small{.hidden = {{3}}, .outputs = {1, 2}, .small = {{}, {2}}};

Matrix<double> score(const Model<double>& model, Index batch = 6) {
  Random random(8);
  const auto x = testing::normal_tensor<double>(batch, model.in_shape(), random);
  Matrix<double> y(batch, model.out_shape().dim);
  Scratch scratch;
  model.network().forward(model.values(), x, View3<double>(y), nullptr, scratch);
  return y;
}

}  // namespace

TEST_CASE("model: equal seeds give equal models, others others") {
  const Model<double> model(trunk, towers, 9);
  CHECK(std::ranges::equal(model.values().flat(), Model<double>(trunk, towers, 9).values().flat()));
  CHECK_FALSE(
      std::ranges::equal(model.values().flat(), Model<double>(trunk, towers, 8).values().flat()));
  const Model<float> rounded(trunk, towers, 9);
  CHECK(std::ranges::equal(rounded.values().flat(), model.values().flat(),
                           [](float a, double b) { return a == static_cast<float>(b); }));
  const auto zeros = Model<double>::zeros(trunk, towers);
  CHECK(zeros.values().flat().size() == model.values().flat().size());
  CHECK(std::ranges::all_of(zeros.values().flat(), [](double number) { return number == 0; }));
}

TEST_CASE("model: what it is made of") {
  const Model<double> model(trunk, towers, 9);
  CHECK(model.trunk_config().target<MMoE>()->num_experts == 3);
  CHECK(model.towers_config().outputs == std::vector<Index>{1, 2});
  CHECK(model.in_shape() == Shape{1, 4});
  CHECK(model.out_shape() == Shape{1, 3});
  CHECK(model.num_tasks() == 2);
  CHECK(model.trunk().out_shape() == Shape{2, 5});
  CHECK(model.towers().offset(1) == 1);
  CHECK(model.table().contains("mtl_arch.experts.0.0.mlp_net.0.weight"));
  CHECK(model.table().contains("task_modules.1.1.weight"));
}

TEST_CASE("model: on a trunk of one's own") {
  const Model<double> model(own::Spread{.input_dim = 4, .num_tasks = 2, .width = 3}, towers, 9);
  CHECK(model.num_tasks() == 2);
  CHECK(model.table().contains("mtl_arch.spread.weight"));
  CHECK(score(model).norm() > 0);
}

TEST_CASE("model: small towers leave the starting numbers of the others as they are") {
  const Model<double> plain(trunk, towers, 9);
  const Model<double> model(trunk, with_small, 9);
  CHECK(model.num_tasks() == 4);
  CHECK(model.out_shape() == Shape{1, 6});
  CHECK(model.table().contains("auxiliary_modules.1.1.weight"));
  CHECK_FALSE(plain.table().contains("auxiliary_modules.1.1.weight"));
  for (const auto& entry : plain.table().entries())
    CHECK(std::ranges::equal(plain.values().of(entry.id), model.values().of(entry.name)));
}

TEST_CASE("model: serving drops small towers and gives the same logits") {
  Model<double> model(trunk, with_small, 9);
  for (double& p : model.values_of("task_modules.0.1.weight")) p += 0.5;
  const Model<double> served = model.serving();
  CHECK(served.num_tasks() == 2);
  CHECK(served.towers_config().small.empty());
  CHECK_FALSE(served.table().contains("auxiliary_modules.0.1.weight"));
  CHECK(score(served) == score(model).leftCols(3));
  CHECK(model.num_tasks() == 4);
  const Model<double> plain(trunk, towers, 9);
  CHECK(score(plain.serving()) == score(plain));
}

TEST_CASE("model: values are read, and written by name or as a whole") {
  Model<double> model(trunk, towers, 9);
  const auto before = score(model);
  const ParamBuffer<double> kept = model.values();
  for (double& p : model.values_of("task_modules.0.1.bias")) p += 1;
  CHECK((score(model) - before).col(0).isConstant(1, 1e-12));
  CHECK((score(model) - before).rightCols(2).isZero(0));
  model.load(kept);
  CHECK(score(model) == before);
  const ParamId id = model.table().at("task_modules.0.1.bias").id;
  CHECK(model.values_of(id).data() == model.values_of("task_modules.0.1.bias").data());
  CHECK_THROWS_AS(model.values_of("nobody"), ConfigError);

  // Another model's numbers, by its names and shapes.
  model.load(Model<double>(trunk, towers, 4).values());
  CHECK(score(model) == score(Model<double>(trunk, towers, 4)));
  const auto now = score(model);
  CHECK_THROWS_AS(model.load(Model<double>(trunk, with_small, 9).values()), ShapeError);
  CHECK(score(model) == now);
}

TEST_CASE("model: copies are independent") {
  Model<double> model(trunk, towers, 9);
  const auto before = score(model);
  const Model<double> copy = model;
  for (double& p : model.values_of("task_modules.0.1.bias")) p += 1;
  CHECK(score(copy) == before);
  CHECK(score(model) != before);
  CHECK(copy.shared_table() == model.shared_table());
}
