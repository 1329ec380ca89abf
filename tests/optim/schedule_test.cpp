#include "plait/optim/schedule.hpp"

#include <vector>

#include "support/catch.hpp"

using Catch::Matchers::Message;
using Catch::Matchers::WithinAbs;
using plait::Index;
using plait::Schedule;

namespace {

void check_factors(const Schedule& schedule, const std::vector<double>& expected) {
  for (std::size_t k = 0; k < expected.size(); ++k) {
    CAPTURE(k);
    CHECK_THAT(schedule.factor(static_cast<Index>(k)), WithinAbs(expected[k], 1e-14));
  }
}

}  // namespace

// The numbers are the learning rates of torch.optim.SGD([p], lr=1.0) under the schedulers named.
TEST_CASE("schedules have PyTorch's factors") {
  check_factors({}, {1, 1, 1});
  CHECK(Schedule::constant() == Schedule());
  // StepLR(optimizer, 3, 0.5)
  check_factors(Schedule::step_decay(3, 0.5), {1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25});
  // CosineAnnealingLR(optimizer, 5, 0.1)
  check_factors(Schedule::cosine(5, 0.1), {1.0, 0.9140576474687263, 0.6890576474687263,
                                           0.41094235253127365, 0.1859423525312737, 0.1});
}

TEST_CASE("a warm-up precedes any schedule") {
  // LinearLR(optimizer)
  check_factors(Schedule::constant().with_warmup(5),
                {1.0 / 3, 0.4666666666666667, 0.6, 0.7333333333333335, 0.8666666666666669, 1, 1});
  // SequentialLR(optimizer, [LinearLR(optimizer, 0.25, 1, 4), StepLR(optimizer, 3, 0.5)], [4])
  check_factors(Schedule::step_decay(3, 0.5).with_warmup(4, 0.25),
                {0.25, 0.4375, 0.625, 0.8125, 1, 1, 1, 0.5, 0.5, 0.5, 0.25});
  // SequentialLR(optimizer,
  //              [LinearLR(optimizer, 0.25, 1, 4), CosineAnnealingLR(optimizer, 5, 0.1)], [4])
  check_factors(Schedule::cosine(5, 0.1).with_warmup(4, 0.25),
                {0.25, 0.4375, 0.625, 0.8125, 1.0, 0.9140576474687263, 0.6890576474687263,
                 0.41094235253127365, 0.1859423525312737, 0.1});
  check_factors(Schedule::cosine(5, 0.1).with_warmup(0), {1.0, 0.9140576474687263});
}

TEST_CASE("a cosine stays at its minimum") {
  const Schedule schedule = Schedule::cosine(5, 0.1).with_warmup(2);
  for (const Index step : {7, 8, 12, 1000}) CHECK(schedule.factor(step) == 0.1);
  CHECK(Schedule::cosine(3).factor(3) == 0);
}

TEST_CASE("schedules without a meaning are refused") {
  CHECK_THROWS_MATCHES(Schedule::step_decay(0), plait::ConfigError,
                       Message("plait::Schedule: every: got 0, expected at least 1"));
  CHECK_THROWS_MATCHES(
      Schedule::step_decay(1, -0.5), plait::ConfigError,
      Message("plait::Schedule: gamma: got -0.5, expected a finite number of at least 0"));
  CHECK_THROWS_MATCHES(Schedule::cosine(0), plait::ConfigError,
                       Message("plait::Schedule: steps: got 0, expected at least 1"));
  CHECK_THROWS_MATCHES(Schedule::cosine(1, 1.5), plait::ConfigError,
                       Message("plait::Schedule: minimum: got 1.5, expected a number in [0, 1]"));
  CHECK_THROWS_MATCHES(Schedule().with_warmup(-1), plait::ConfigError,
                       Message("plait::Schedule: warm-up steps: got -1, expected at least 0"));
  CHECK_THROWS_MATCHES(
      Schedule().with_warmup(1, -1), plait::ConfigError,
      Message("plait::Schedule: warm-up start: got -1, expected a number in [0, 1]"));
}
