// examples/custom_trunk: a trunk with a layer of its own, as its author would test it.
#include "../../examples/custom_trunk/relay.hpp"

#include <cmath>
#include <plait/testing/build.hpp>
#include <plait/testing/gradcheck.hpp>
#include <plait/testing/layer_suite.hpp>

#include "support/catch.hpp"

using plait::Index;

TEST_CASE("relay: the suite and the gradient check pass in every shape") {
  const std::vector<Relay> configs{{.input_dim = 5, .num_tasks = 3, .expert = {6, 4}},
                                   {.input_dim = 3, .num_tasks = 2, .expert = {}},
                                   {.input_dim = 3, .num_tasks = 1, .expert = {4}},
                                   {.input_dim = 2, .num_tasks = 5, .expert = {3}}};
  plait::ThreadPool pool(2);
  for (const auto& config : configs) {
    INFO(config.num_tasks << " tasks");
    const auto built = plait::testing::build<double>(3, config);
    plait::testing::SuiteOptions options;
    options.executor = &pool;
    const auto contract = plait::testing::check_layer(built.layer, built.theta, options);
    INFO(contract.text());
    CHECK(contract.passed());
    const auto gradients =
        plait::testing::check_gradients(built.layer, built.theta, built.input(5).view());
    INFO(gradients.text());
    CHECK(gradients.passed());
  }
}

TEST_CASE("relay: it computes its equation") {
  const auto built = plait::testing::build<double>(
      3, Relay{.input_dim = 2, .num_tasks = 3, .expert = {{1}, plait::Activation::identity}});
  const auto x = built.input(4);
  plait::Tensor<double> y(4, 3, 1);
  plait::Scratch scratch;
  built.layer.forward(built.theta, x, y, nullptr, scratch);
  const auto pass = [&](const char* what) {
    return built.theta.of(std::string("pass.mlp_net.0.") + what)[0];
  };
  for (Index b = 0; b < 4; ++b)
    for (Index t = 0; t < 3; ++t) {
      const std::string network = plait::text("networks.", t, ".mlp_net.0.");
      const auto w = built.theta.of(network + "weight");
      double expected =
          w[0] * x.view()(b, 0, 0) + w[1] * x.view()(b, 0, 1) + built.theta.of(network + "bias")[0];
      if (t > 0) expected /= 1 + std::exp(-pass("weight") * y.view()(b, t - 1, 0) - pass("bias"));
      CHECK(std::abs(y.view()(b, t, 0) - expected) < 1e-14);
    }
}

TEST_CASE("relay: a task teaches the tasks before it, and those after it nothing") {
  plait::Model<float> model(Relay{.input_dim = 4, .num_tasks = 3, .expert = {4}}, {}, 1);
  const plait::Trainer trainer(model, std::vector<plait::Head>(3), plait::Adam{});
  const auto is_shared = [&](const std::string& name) {
    const Index offset = model.table().at(name).id.offset;
    return std::ranges::any_of(trainer.shared(), [&](const plait::ParamRange& range) {
      return range.offset <= offset && offset < range.end();
    });
  };
  CHECK(is_shared("mtl_arch.networks.0.mlp_net.0.weight"));
  CHECK(is_shared("mtl_arch.networks.1.mlp_net.0.weight"));
  CHECK_FALSE(is_shared("mtl_arch.networks.2.mlp_net.0.weight"));
  CHECK(is_shared("mtl_arch.pass.mlp_net.0.weight"));
  CHECK_FALSE(is_shared("task_modules.0.1.weight"));
}

TEST_CASE("relay: sizes below one are refused by name") {
  CHECK_THROWS_WITH(plait::testing::build<double>(3, Relay{.input_dim = 5, .expert = {4}}),
                    "plait::Relay: num_tasks: got 0, expected at least 1");
}
