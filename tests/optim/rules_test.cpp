#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/sgd.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::Message;
using Catch::Matchers::WithinAbs;
using namespace plait;

namespace {

// Every worked step of one result of F_optimizers, on a tensor of three numbers.
template <class Scalar, class Rule>
void check_steps(const std::string& name, const Rule& rule) {
  INFO(name);
  const auto json = fixtures::load("F_optimizers");
  auto table = std::make_shared<ParamTable>();
  const ParamId id = table->add_vector("p", 3, Init::constant(0));
  ParamBuffer<Scalar> values(table), grad(table);
  for (std::size_t i = 0; i < 3; ++i) values.of(id)[i] = json.at("p0").at(i).get<Scalar>();
  Optimizer<Scalar> optimizer(table, rule);
  const auto& expected = json.at("results").at(name);
  REQUIRE(expected.size() == 3);
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t i = 0; i < 3; ++i)
      grad.of(id)[i] = json.at("grads_step1..3").at(k).at(i).get<Scalar>();
    const ParamBuffer<Scalar> before = grad;
    optimizer.step(values, grad);
    CHECK(std::ranges::equal(grad.flat(), before.flat()));
    for (std::size_t i = 0; i < 3; ++i) {
      CAPTURE(k, i);
      CHECK_THAT(double(values.of(id)[i]),
                 WithinAbs(expected.at(k).at(i).get<double>(), fixtures::tolerance<Scalar>));
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("SGD takes PyTorch's steps", "", float, double) {
  check_steps<TestType>("sgd_lr0.1", SGD{.learning_rate = 0.1});
  check_steps<TestType>("sgd_mom0.9", SGD{.learning_rate = 0.1, .momentum = 0.9});
  check_steps<TestType>(
      "sgd_mom0.9_damp0.1_wd0.01",
      SGD{.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.1, .weight_decay = 0.01});
  check_steps<TestType>("sgd_nesterov0.9",
                        SGD{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true});
}

TEMPLATE_TEST_CASE("Adam and AdamW take PyTorch's steps", "", float, double) {
  check_steps<TestType>("adam_lr0.01", Adam{.learning_rate = 0.01});
  check_steps<TestType>("adam_lr0.01_wd0.1", Adam{.learning_rate = 0.01, .weight_decay = 0.1});
  check_steps<TestType>("adam_betas0.5_0.3",
                        Adam{.learning_rate = 0.01, .beta1 = 0.5, .beta2 = 0.3});
  check_steps<TestType>("adam_amsgrad_betas0.5_0.3",
                        Adam{.learning_rate = 0.01, .beta1 = 0.5, .beta2 = 0.3, .amsgrad = true});
  check_steps<TestType>("adamw_lr0.01_wd0.1", AdamW{.learning_rate = 0.01, .weight_decay = 0.1});
}

TEMPLATE_TEST_CASE("Adagrad takes PyTorch's steps", "", float, double) {
  check_steps<TestType>("adagrad_lr0.1", Adagrad{.learning_rate = 0.1});
  check_steps<TestType>("adagrad_lrdecay0.1_wd0.01_init0.1", Adagrad{.learning_rate = 0.1,
                                                                     .learning_rate_decay = 0.1,
                                                                     .weight_decay = 0.01,
                                                                     .initial_accumulator = 0.1});
}

TEMPLATE_TEST_CASE("RMSprop takes PyTorch's steps", "", float, double) {
  check_steps<TestType>("rmsprop_lr0.01", RMSprop{.learning_rate = 0.01});
  check_steps<TestType>(
      "rmsprop_centered_mom0.9_wd0.01",
      RMSprop{.learning_rate = 0.01, .weight_decay = 0.01, .momentum = 0.9, .centered = true});
}

TEST_CASE("every number of a tensor longer than a piece takes the same step") {
  auto table = std::make_shared<ParamTable>();
  const ParamId id = table->add_matrix("p", 3, 777, Init::constant(0));
  ParamBuffer<double> values(table), grad(table);
  std::ranges::fill(grad.of(id), -0.25);
  Optimizer<double> optimizer(table, Adam{});
  for (int k = 0; k < 3; ++k) optimizer.step(values, grad);
  const double first = values.of(id)[0];
  CHECK_THAT(first, WithinAbs(3e-3, 1e-9));  // a constant gradient moves by the learning rate
  CHECK(std::ranges::all_of(values.of(id), [&](double p) { return p == first; }));
}

TEST_CASE("hyper-parameters out of range are refused") {
  const auto table = std::make_shared<const ParamTable>();
  const auto make = [&](const auto& rule) { Optimizer<float>(table, rule); };
  CHECK_THROWS_MATCHES(
      make(SGD{.learning_rate = -1}), ConfigError,
      Message("plait::SGD: learning_rate: got -1, expected a finite number of at least 0"));
  CHECK_THROWS_MATCHES(
      make(SGD{.momentum = 0.9, .dampening = 0.1, .nesterov = true}), ConfigError,
      Message("plait::SGD: nesterov: got momentum 0.9 and dampening 0.1, expected momentum above 0 "
              "and no dampening"));
  CHECK_THROWS_MATCHES(make(Adam{.beta1 = 1}), ConfigError,
                       Message("plait::Adam: beta1: got 1, expected a number in [0, 1)"));
  CHECK_THROWS_MATCHES(make(Adam{.beta2 = -0.1}), ConfigError,
                       Message("plait::Adam: beta2: got -0.1, expected a number in [0, 1)"));
  CHECK_THROWS_MATCHES(
      make(AdamW{.weight_decay = std::numeric_limits<double>::infinity()}), ConfigError,
      Message("plait::AdamW: weight_decay: got inf, expected a finite number of at least 0"));
  CHECK_THROWS_MATCHES(
      make(Adagrad{.initial_accumulator = -0.1}), ConfigError,
      Message("plait::Adagrad: initial_accumulator: got -0.1, expected a finite number of at least "
              "0"));
  CHECK_THROWS_MATCHES(
      make(RMSprop{.epsilon = std::numeric_limits<double>::quiet_NaN()}), ConfigError,
      Message("plait::RMSprop: epsilon: got nan, expected a finite number above 0"));
}
