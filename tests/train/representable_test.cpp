// Settings that double holds and float does not, and updates that float does not hold.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "plait/losses/multi_task_loss.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/models.hpp"

using namespace plait;
using Catch::Matchers::ContainsSubstring;

namespace {

std::shared_ptr<const ParamTable> one_parameter() {
  auto table = std::make_shared<ParamTable>();
  table->add_vector("w", 1, Init::constant(0));
  return table;
}

// One step of a float without a gradient.
template <class R>
float after_a_step_without_gradient(R rule) {
  const auto table = one_parameter();
  ParamBuffer<float> values(table);
  values.of("w")[0] = 1;
  Optimizer<float> optimizer(table, rule);
  optimizer.step(values, ParamBuffer<float>(table));
  return values.of("w")[0];
}

}  // namespace

TEST_CASE("a head's setting that float cannot hold is refused for float alone") {
  const std::vector<Head> heads{
      {.pos_weight = 1e40},
      {.pos_weight = 1e-46},
      {.kind = HeadKind::focal, .gamma = 1e40},
      {.kind = HeadKind::huber, .delta = 1e-50},
      {.kind = HeadKind::huber, .delta = 1e39},
      {.kind = HeadKind::jrc, .alpha = 1e-60},
      {.out_of_space = 1e-50},
      {.in_space = 1e-40},
      {.weight = 1e300},
  };
  for (const Head& head : heads) {
    INFO(head.pos_weight << ' ' << head.gamma << ' ' << head.delta << ' ' << head.weight);
    CHECK_THROWS_AS(MultiTaskLoss<float>({head}), ConfigError);
    CHECK_NOTHROW(MultiTaskLoss<double>({head}));
  }
  CHECK_THROWS_AS(MultiTaskLoss<double>({Head{.in_space = 1e-310}}), ConfigError);
  CHECK_NOTHROW(MultiTaskLoss<float>({Head{.pos_weight = 1e-37, .weight = 0}}));
  CHECK_THROWS_WITH(MultiTaskLoss<float>({Head{.kind = HeadKind::huber, .delta = 1e-50}}),
                    ContainsSubstring("plait::MultiTaskLoss: delta of task0: got 1e-50, expected"));
}

TEMPLATE_TEST_CASE("an epsilon that is 0 in the scalar in use is refused", "", Adam, AdamW, Adagrad,
                   RMSprop) {
  TestType rule;
  rule.epsilon = 0;
  CHECK_THROWS_AS(Optimizer<double>(one_parameter(), rule), ConfigError);
  for (const double tiny : {1e-46, 1e-40, 1e-300}) {
    rule.epsilon = tiny;
    CHECK_THROWS_AS(Optimizer<float>(one_parameter(), rule), ConfigError);
    CHECK_NOTHROW(Optimizer<double>(one_parameter(), rule));
  }
  rule.epsilon = 1e-37;
  rule.weight_decay = 0;
  CHECK(after_a_step_without_gradient(rule) == 1);
}

TEST_CASE("rates, decays and norms that float cannot hold are refused for float alone") {
  const auto check = [](Rule<float> in_float, Rule<double> in_double, OptimizerOptions options) {
    CHECK_THROWS_AS(Optimizer<float>(one_parameter(), in_float, options), ConfigError);
    CHECK_NOTHROW(Optimizer<double>(one_parameter(), in_double, options));
  };
  check(SGD{.learning_rate = 1e40}, SGD{.learning_rate = 1e40}, {});
  check(SGD{.weight_decay = 1e39}, SGD{.weight_decay = 1e39}, {});
  check(SGD{.momentum = 1e-60}, SGD{.momentum = 1e-60}, {});
  check(SGD{}, SGD{}, {.clip_norm = 1e-50});
  check(SGD{}, SGD{}, {.groups = {{.pattern = "w", .learning_rate = 1e50}}});
}

TEST_CASE("an update that overflows is an error, not an infinite model") {
  constexpr models::Sizes sizes{};
  const auto x = data::normal<float>(8, sizes.input_dim, 1);
  const auto labels = data::binary<float>(8, sizes.num_tasks, 2);
  const std::vector<Head> heads(static_cast<std::size_t>(sizes.num_tasks));
  const auto fails = [&](const Rule<float>& rule) {
    Model<float> model = models::make(models::all_trunks<float>()[5].trunk);
    Trainer<float> trainer(model, heads, rule);
    for (int step = 0; step < 20; ++step) {
      try {
        trainer.step(x, labels);
      } catch (const ValueError&) {
        return true;
      }
      for (const float value : model.values().flat()) REQUIRE(std::isfinite(value));
    }
    return false;
  };
  CHECK(fails(Adam{.learning_rate = 1e38}));
  CHECK(fails(AdamW{.learning_rate = 3e38, .weight_decay = 0}));
  CHECK(fails(RMSprop{.learning_rate = 3e38}));
  CHECK(fails(SGD{.learning_rate = 3e38, .momentum = 0.9}));
  CHECK_FALSE(fails(Adam{.learning_rate = 1e-3}));
}
