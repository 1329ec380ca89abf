#include "plait/methods/scheduled_weights.hpp"

#include "methods/support.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/methods/static_weights.hpp"

using Catch::Matchers::Message;
using methods_test::check_close;
using methods_test::Numbers;
using plait::LossWeighting;
using plait::ScheduledWeights;
using plait::StaticWeights;

TEST_CASE("static weights are those given, or ones") {
  LossWeighting given(StaticWeights{{0.5, 2}}, 2);
  check_close(given.weigh(), Numbers{0.5, 2});
  given.update(Numbers{1, 2});
  given.end_epoch();
  check_close(given.weigh(), Numbers{0.5, 2});
  LossWeighting ones(StaticWeights{}, 3);
  check_close(ones.weigh(), Numbers{1, 1, 1});
}

TEST_CASE("PLE's schedule has the worked values, per epoch and per step") {
  const auto json = fixtures::load("C_losses").at("ple_schedule");
  ScheduledWeights method{.initial = json.at("omega0").get<Numbers>(),
                          .factor = json.at("gamma").get<Numbers>()};
  LossWeighting per_epoch(method, 2);
  method.per = ScheduledWeights::Per::step;
  LossWeighting per_step(method, 2);
  for (const auto& expected : json.at("omega_t for t=0..5")) {
    check_close(per_epoch.weigh(), expected);
    check_close(per_step.weigh(), expected);
    for (int step = 0; step < 3; ++step) {
      per_epoch.update(Numbers{1, 1});
      check_close(per_epoch.weigh(), expected);
    }
    per_epoch.end_epoch();
    per_step.update(Numbers{1, 1});
    per_step.end_epoch();
  }
}

TEST_CASE("schedules and static weights refuse what is not one number per task") {
  CHECK_THROWS_MATCHES(
      LossWeighting(ScheduledWeights{.initial = {1, 2, 3}}, 2), plait::ConfigError,
      Message(
          "plait::ScheduledWeights: initial: got 3 numbers, expected 2, one per task, or none"));
  CHECK_THROWS_MATCHES(LossWeighting(ScheduledWeights{.factor = {1, -1}}, 2), plait::ConfigError,
                       Message("plait::ScheduledWeights: factor: got -1, expected finite numbers "
                               "of at least 0"));
  CHECK_THROWS_MATCHES(
      LossWeighting(StaticWeights{{1}}, 2), plait::ConfigError,
      Message("plait::StaticWeights: values: got 1 numbers, expected 2, one per task, or none"));
  LossWeighting growing(ScheduledWeights{.factor = {1, 1e200}}, 2);
  growing.weigh();
  growing.end_epoch();
  growing.end_epoch();
  CHECK_THROWS_MATCHES(growing.weigh(), plait::ValueError,
                       Message("plait::ScheduledWeights: weight of task 1: got inf, expected a "
                               "finite number"));
}
