// What testing::build makes is what a model makes.
#include "plait/testing/build.hpp"

#include <algorithm>
#include <string>

#include "plait/architectures/adatt.hpp"
#include "plait/layers/linear.hpp"
#include "plait/model/model.hpp"
#include "plait/testing/gradcheck.hpp"
#include "plait/testing/layer_suite.hpp"
#include "support/bare.hpp"
#include "support/catch.hpp"

using plait::Index;

TEST_CASE("build: a layer of one's own") {
  const auto built = plait::testing::build<double>(
      7, [](plait::ParamTable& table) { return plait::Linear<double>(table, "a", 3, 2); });
  static_assert(std::same_as<decltype(built.layer), plait::Linear<double>>);
  CHECK(built.theta.table().contains("a.weight"));
  const auto x = built.input(5);
  CHECK((x.batch() == 5 && x.slots() == 1 && x.dim() == 3));
  CHECK(built.output(4).dim() == 2);
  CHECK(plait::testing::check_gradients(built.layer, built.theta, x.view()).passed());
  CHECK(plait::testing::check_layer(built.layer, built.theta).passed());
  CHECK(x.view()(0, 0, 0) != built.input(5, 2).view()(0, 0, 0));
}

TEST_CASE("build: a trunk starts as a model's does") {
  const plait::AdaTT config{.input_dim = 3, .num_tasks = 2, .levels = {{4}, {2}}};
  const auto built = plait::testing::build<float>(7, config, "mtl_arch");
  const plait::Model<float> model(config, {}, 7);
  CHECK(built.layer.out_shape() == plait::Shape{2, 2});
  for (const auto& entry : built.theta.table().entries())
    CHECK(std::ranges::equal(built.theta.of(entry.id), model.values().of(entry.name)));
  CHECK(plait::testing::build<float>(7, config).theta.table().entries().front().name ==
        "experts.0.0.mlp_net.0.weight");
}

TEST_CASE("build: a body") {
  const auto mlp = plait::testing::build<double>(7, plait::Body{4, 2}, 3);
  CHECK(mlp.layer.out_shape().dim == 2);
  const auto own = plait::testing::build<double>(7, BareMLP{{4, 2}}, 3, "expert");
  CHECK(own.theta.table().contains("expert.mlp_net.2.weight"));
  CHECK(std::ranges::equal(own.theta.flat(), mlp.theta.flat()));
  CHECK_THROWS_AS(plait::testing::build<double>(7, plait::Body{0}, 3), plait::ConfigError);
}
