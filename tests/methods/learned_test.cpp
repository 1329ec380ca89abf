// Uncertainty weighting and IMTL-L: what is learned, and how.
#include <cmath>
#include <limits>
#include <string>

#include "methods/support.hpp"
#include "plait/methods/imtl_l.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/methods/uncertainty_weights.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/sgd.hpp"

using Catch::Matchers::Message;
using Catch::Matchers::WithinAbs;
using methods_test::check_close;
using methods_test::Numbers;
using methods_test::weights_of;
using plait::Adam;
using plait::IMTLL;
using plait::LossWeighting;
using plait::MethodState;
using plait::SGD;
using plait::Uncertainty;
using plait::UncertaintyWeights;
using plait::WeightingInput;

namespace {

// The gradient by every s_t is the finite difference of the objective.
template <class Method>
void check_gradient(const Method& method, const Numbers& losses, MethodState state) {
  Numbers gradient(losses.size());
  method.gradient(losses, state, gradient);
  constexpr double h = 1e-6;
  for (std::size_t t = 0; t < losses.size(); ++t) {
    const double s = state.numbers[t];
    state.numbers[t] = s + h;
    const double up = method.objective(losses, state);
    state.numbers[t] = s - h;
    const double down = method.objective(losses, state);
    state.numbers[t] = s;
    CHECK_THAT(gradient[t], WithinAbs((up - down) / (2 * h), 1e-8));
  }
}

}  // namespace

TEST_CASE("uncertainty weighting has the worked values of every form") {
  const auto json = fixtures::load("C_losses").at("uncertainty_weighting");
  const auto losses = json.at("losses").get<Numbers>();
  const auto check = [&](Uncertainty form, const char* name, const char* by_s) {
    INFO(name);
    const auto& expected = json.at(name);
    const UncertaintyWeights method{.forms = {form, form}};
    MethodState state{.numbers = json.at("s=log sigma^2").get<Numbers>()};
    check_close(weights_of(method, WeightingInput{2, losses}, state), expected.at("dL_dlosses"));
    Numbers gradient(2);
    method.gradient(losses, state, gradient);
    check_close(gradient, expected.at(by_s));
    CHECK_THAT(method.objective(losses, state),
               WithinAbs(expected.at("total").get<double>(), 1e-10));
    check_gradient(method, losses, state);
  };
  check(Uncertainty::regression, "regression_form_half(LibMTL, lorenmt, nash-mtl)", "dL_ds");
  check(Uncertainty::classification, "classification_form(paper: L/sigma^2 + log sigma)", "dL_ds");
  check(Uncertainty::clamped, "torch_rechub(2 L e^-w + w, w=max(w,0))", "dL_dw");
}

TEST_CASE("every task has its own form; regression is the default") {
  const UncertaintyWeights mixed{
      .forms = {Uncertainty::regression, Uncertainty::classification, Uncertainty::clamped},
      .initial = 1};
  LossWeighting weighting(mixed, 3);
  const double e = std::exp(-1);
  check_close(weighting.weigh(), Numbers{0.5 * e, e, 2 * e});
  LossWeighting plain(UncertaintyWeights{.initial = 1, .rule = SGD{}}, 2);
  check_close(plain.weigh(), Numbers{0.5 * e, 0.5 * e});
}

TEST_CASE("uncertainty weighting comes to rest where w L is a half") {
  LossWeighting weighting(UncertaintyWeights{.rule = SGD{.learning_rate = 0.2}}, 2);
  const Numbers losses{0.25, 4};
  for (int step = 0; step < 2000; ++step) {
    weighting.weigh();
    weighting.update(losses);
  }
  const auto w = weighting.weigh();
  check_close(Numbers{w[0] * losses[0], w[1] * losses[1]}, Numbers{0.5, 0.5});
}

TEST_CASE("IMTL-L has the worked values") {
  const auto json = fixtures::load("D_balancing").at("IMTL_L");
  const auto losses = json.at("losses").get<Numbers>();
  MethodState state{.numbers = json.at("s").get<Numbers>()};
  const IMTLL method;
  check_close(weights_of(method, WeightingInput{2, losses}, state), json.at("dL_dlosses"));
  Numbers gradient(2);
  method.gradient(losses, state, gradient);
  check_close(gradient, json.at("dL_ds"));
  CHECK_THAT(method.objective(losses, state), WithinAbs(json.at("objective").get<double>(), 1e-10));
  check_gradient(method, losses, state);

  LossWeighting weighting(IMTLL{.rule = SGD{.learning_rate = 0.3}}, 2);
  for (int step = 0; step < 2000; ++step) weighting.update(losses);
  check_close(weighting.state().numbers, json.at("stationary_s=-ln L"));
}

// The same steps as an Optimizer over a vector of the s_t takes.
TEMPLATE_TEST_CASE("what is learned moves by any rule of the optimizers", "", SGD, Adam,
                   plait::RMSprop) {
  TestType rule;
  rule.learning_rate = 0.05;
  rule.weight_decay = 0.01;
  const UncertaintyWeights method{.initial = 0.3, .rule = rule};
  LossWeighting weighting(method, 3);
  auto table = std::make_shared<plait::ParamTable>();
  const auto id = table->add_vector("s", 3, plait::Init::constant(0));
  plait::ParamBuffer<double> values(table), gradient(table);
  std::ranges::fill(values.of(id), 0.3);
  plait::Optimizer<double> optimizer(table, rule);
  plait::Random random(1);
  for (int step = 0; step < 20; ++step) {
    const Numbers losses{0.1 + random.uniform(), 1 + random.uniform(), 5 * random.uniform()};
    for (std::size_t t = 0; t < 3; ++t)
      gradient.of(id)[t] = 0.5 - 0.5 * std::exp(-values.of(id)[t]) * losses[t];
    optimizer.step(values, gradient);
    weighting.update(losses);
    const auto expected = values.of(id);
    check_close(std::span(weighting.state().numbers).first(3),
                Numbers(expected.begin(), expected.end()), 1e-14);
  }
}

TEST_CASE("nothing is learned from a task without a loss in the batch") {
  LossWeighting weighting(UncertaintyWeights{}, 2);
  LossWeighting imtl(IMTLL{}, 2);
  for (int step = 0; step < 3; ++step) {
    weighting.update(Numbers{1.5, 0.5});
    imtl.update(Numbers{1.5, 0.5});
  }
  const auto check = [](auto& learner) {
    const Numbers before = learner.state().numbers;
    learner.update(Numbers{0, 0.5});
    const Numbers& after = learner.state().numbers;
    for (std::size_t k = 0; k < before.size(); k += 2) {  // s and both moments of Adam
      CHECK(after[k] == before[k]);
      CHECK(after[k + 1] != before[k + 1]);
    }
  };
  check(weighting);
  check(imtl);
}

TEST_CASE("learned weights stay finite whatever the losses") {
  LossWeighting weighting(UncertaintyWeights{.rule = Adam{.learning_rate = 10}}, 2);
  LossWeighting imtl(IMTLL{.rule = SGD{.learning_rate = 10}}, 2);
  for (int step = 0; step < 50; ++step)
    for (const double size : {1e-300, 1e300}) {
      weighting.update(Numbers{size, -size});
      imtl.update(Numbers{size, -size});
      for (const double w : weighting.weigh()) CHECK(std::isfinite(w));
      for (const double w : imtl.weigh()) CHECK(std::isfinite(w));
    }
}

TEST_CASE("learned weights refuse descriptions out of range") {
  CHECK_THROWS_MATCHES(
      LossWeighting(UncertaintyWeights{.forms = {Uncertainty::regression}}, 2), plait::ConfigError,
      Message("plait::UncertaintyWeights: forms: got 1, expected 2, one per task, or none"));
  CHECK_THROWS_MATCHES(
      LossWeighting(UncertaintyWeights{.initial = 60}, 2), plait::ConfigError,
      Message("plait::UncertaintyWeights: initial: got 60, expected a number in [-50, 50]"));
  CHECK_THROWS_MATCHES(LossWeighting(IMTLL{.initial = std::nan("")}, 2), plait::ConfigError,
                       Message("plait::IMTLL: initial: got nan, expected a number in [-50, 50]"));
  CHECK_THROWS_MATCHES(
      LossWeighting(IMTLL{.rule = SGD{.learning_rate = -1}}, 2), plait::ConfigError,
      Message("plait::SGD: learning_rate: got -1, expected a finite number of at least 0"));
}
