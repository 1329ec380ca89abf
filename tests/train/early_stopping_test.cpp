#include "plait/train/early_stopping.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "plait/core/random.hpp"
#include "support/catch.hpp"

using Catch::Matchers::WithinAbs;
using plait::Better;
using plait::EarlyStopping;
using plait::Index;
using plait::StopWhen;

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();
using Values = std::array<double, 2>;

// An AUC and an MSE, of which 0.1 counts like 0.01 of AUC.
EarlyStopping auc_and_mse(plait::EarlyStoppingOptions options) {
  return EarlyStopping({{.unit = 0.01}, {.better = Better::lower, .unit = 0.1}}, options);
}

// Evaluations until it says stop, at most as many as there are.
Index stops_after(EarlyStopping stopping, const std::vector<Values>& evaluations) {
  for (const Values& values : evaluations) {
    stopping.update(values);
    if (stopping.stop()) break;
  }
  return stopping.evaluations();
}

}  // namespace

TEST_CASE("every task gains in the direction of its own metric") {
  auto stopping = auc_and_mse({});
  CHECK((stopping.update(Values{0.70, 1.0})));
  CHECK(stopping.sum_of_gains() == 0);
  CHECK((stopping.update(Values{0.72, 0.9})));
  CHECK_THAT(stopping.gain(0), WithinAbs(2, 1e-12));
  CHECK_THAT(stopping.gain(1), WithinAbs(1, 1e-12));
  CHECK_FALSE((stopping.update(Values{0.71, 1.2})));
  CHECK_THAT(stopping.sum_of_gains(), WithinAbs(1 - 2, 1e-12));
  CHECK(stopping.best(0) == 0.72);
  CHECK(stopping.best(1) == 0.9);
  CHECK(stopping.best_at(1) == 1);
  CHECK(stopping.best_sum_at() == 1);
  CHECK_THAT(stopping.best_sum(), WithinAbs(3, 1e-12));
}

TEST_CASE("a value that is best at 1 may come from either side") {
  EarlyStopping stopping({{.better = Better::closer_to_one}});
  for (const double value : {1.3, 0.8, 1.1}) CHECK(stopping.update(std::array{value}));
  CHECK_FALSE(stopping.update(std::array{0.85}));
  CHECK(stopping.best(0) == 1.1);
}

TEST_CASE("the sum goes on as long as one task gains more than the other loses") {
  // AUC rises by 0.02 while MSE worsens by 0.1; then the reverse.
  const std::vector<Values> seesaw{{0.70, 1.0}, {0.72, 1.1}, {0.74, 1.2}, {0.73, 1.3},
                                   {0.72, 1.4}, {0.71, 1.5}, {0.70, 1.6}};
  CHECK(stops_after(auc_and_mse({.patience = 2}), seesaw) == 5);
  CHECK(stops_after(auc_and_mse({.patience = 3}), seesaw) == 6);
  CHECK(stops_after(auc_and_mse({.patience = 2, .stop_when = StopWhen::any_task_stalls}), seesaw) ==
        3);
  CHECK(stops_after(auc_and_mse({.patience = 2, .stop_when = StopWhen::every_task_stalls}),
                    seesaw) == 5);
  auto stopping = auc_and_mse({.patience = 2});
  for (int i = 0; i < 3; ++i) stopping.update(seesaw[std::size_t(i)]);
  CHECK_FALSE(stopping.stalled(0));
  CHECK(stopping.stalled(1));
  CHECK_FALSE(stopping.stop());
}

TEST_CASE("a task that starts to learn again is not stalled") {
  auto stopping = auc_and_mse({.patience = 2, .stop_when = StopWhen::every_task_stalls});
  for (const Values& values : {Values{0.70, 1.0}, Values{0.70, 1.0}, Values{0.70, 1.0}})
    stopping.update(values);
  CHECK(stopping.stop());
  stopping.update(Values{0.71, 1.0});
  CHECK_FALSE(stopping.stalled(0));
  CHECK_FALSE(stopping.stop());
}

TEST_CASE("a gain below min_gain is none") {
  EarlyStopping stopping({{.unit = 0.01}}, {.patience = 2, .min_gain = 0.5});
  CHECK(stopping.update(std::array{0.7}));
  CHECK_FALSE(stopping.update(std::array{0.704}));
  CHECK(stopping.update(std::array{0.706}));  // against the best, not the last
  CHECK(stopping.best_at(0) == 2);
}

TEST_CASE("a task without a value is left out, and its patience does not run") {
  auto stopping = auc_and_mse({.patience = 2, .stop_when = StopWhen::any_task_stalls});
  CHECK((stopping.update(Values{missing, 1.0})));
  CHECK(stopping.gain(0) == 0);
  CHECK(std::isnan(stopping.best(0)));
  CHECK(stopping.best_at(0) == -1);
  CHECK((stopping.update(Values{0.70, 0.9})));
  CHECK((stopping.update(Values{0.72, 0.8})));
  CHECK((stopping.update(Values{missing, 0.7})));
  CHECK_THAT(stopping.gain(0), WithinAbs(2, 1e-12));  // stands
  for (int i = 0; i < 5; ++i) stopping.update(Values{missing, 0.7 - 0.1 * i});
  CHECK_FALSE(stopping.stalled(0));
  CHECK_FALSE((stopping.update(Values{missing, missing})));
  CHECK_FALSE(stopping.stop());
  CHECK(stopping.evaluations() == 10);
}

TEST_CASE("gains over the single-task models' values") {
  EarlyStopping stopping(
      {{.unit = 0.7, .baseline = 0.7}, {.better = Better::lower, .unit = 0.9, .baseline = 0.9}});
  stopping.update(Values{0.72, 0.95});
  const double multi[] = {0.72, 0.95}, single[] = {0.7, 0.9};
  const Better better[] = {Better::higher, Better::lower};
  CHECK_THAT(stopping.sum_of_gains() / 2, WithinAbs(plait::delta_m(multi, single, better), 1e-15));
}

TEST_CASE("metrics of an evaluation are taken as they come") {
  auto stopping = auc_and_mse({});
  const std::vector<plait::MetricValue> values{{"click", "auc", 0.7, Better::higher},
                                               {"watch", "mse", 1, Better::lower}};
  CHECK(stopping.update(values));
  CHECK(stopping.best(0) == 0.7);
}

// As a training loop does, which has no other end.
template <std::size_t T>
Index stops_after_repeating(EarlyStopping stopping, const std::array<double, T>& values) {
  while (!stopping.stop() && stopping.evaluations() < 100) stopping.update(values);
  return stopping.evaluations();
}

TEST_CASE("a loop ends that only ever sees NaN or infinity") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const StopWhen when :
       {StopWhen::sum_stalls, StopWhen::every_task_stalls, StopWhen::any_task_stalls}) {
    CAPTURE(int(when));
    const plait::EarlyStoppingOptions options{.patience = 4, .stop_when = when};
    for (const double value : {missing, infinity, -infinity}) {
      CAPTURE(value);
      for (const Better better : {Better::higher, Better::lower, Better::closer_to_one}) {
        CHECK(stops_after_repeating(EarlyStopping({{.better = better}}, options),
                                    std::array{value}) == 4);
        const EarlyStopping two({{.better = better}, {.better = better}}, options);
        CHECK(stops_after_repeating(two, Values{value, value}) == 4);
      }
      // After a good start: a model that diverges.
      auto stopping = auc_and_mse(options);
      stopping.update(Values{0.7, 1});
      CHECK(stops_after_repeating(stopping, Values{value, value}) == 5);
    }
  }
}

TEST_CASE("a task that never has a value again holds up nothing once the others stall") {
  auto stopping = auc_and_mse({.patience = 3, .stop_when = StopWhen::every_task_stalls});
  stopping.update(Values{0.7, 1.0});
  for (const double mse : {0.9, 0.8, 0.7}) {
    stopping.update(Values{missing, mse});
    CHECK_FALSE(stopping.stop());
  }
  CHECK(stops_after_repeating(stopping, Values{missing, 0.7}) == 4 + 3);
}

TEST_CASE("an infinite loss is the worst value, not a missing one") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  auto stopping = auc_and_mse({.patience = 2, .stop_when = StopWhen::any_task_stalls});
  CHECK_FALSE((stopping.update(Values{0.70, infinity})));
  CHECK(stopping.gain(1) == -infinity);
  CHECK(stopping.best_at(1) == -1);
  CHECK(std::isnan(stopping.best_sum()));
  CHECK((stopping.update(Values{0.71, 2.0})));
  CHECK(stopping.gain(1) == 0);  // over the first value that is one
  CHECK_FALSE((stopping.update(Values{0.75, infinity})));
  CHECK_FALSE(stopping.stop());
  CHECK_FALSE((stopping.update(Values{0.76, infinity})));
  CHECK(stopping.stop());
  CHECK(stopping.best_sum_at() == 1);
}

TEST_CASE("gains beyond all numbers end a loop, too") {
  // Both finite; the gains are not, and their sum is none.
  auto stopping = auc_and_mse({.patience = 2});
  stopping.update(Values{0, 0});
  CHECK(stops_after_repeating(stopping, Values{1e308, 1e308}) == 1 + 2);
}

TEST_CASE("the direction is the metric's own where a watch says nothing") {
  const auto evaluation = [](double auc, double mse, double calibration) {
    return std::vector<plait::MetricValue>{
        {"click", "auc", auc, Better::higher},
        {"watch", "mse", mse, Better::lower},
        {"buy", "calibration", calibration, Better::closer_to_one}};
  };
  EarlyStopping stopping({{}, {}, {}});
  CHECK(stopping.update(evaluation(0.7, 1.0, 1.2)));
  CHECK_FALSE(stopping.update(evaluation(0.7, 1.1, 1.2)));  // a worse MSE is no gain
  CHECK_THAT(stopping.gain(1), WithinAbs(-0.1, 1e-12));
  CHECK_FALSE(stopping.update(evaluation(0.7, 1.0, 1.3)));  // nor is more calibration
  CHECK(stopping.update(evaluation(0.7, 0.9, 1.1)));
  CHECK(stopping.best(1) == 0.9);

  EarlyStopping wrong({{.better = Better::higher}, {.better = Better::higher}, {}});
  CHECK_THROWS_WITH(wrong.update(evaluation(0.7, 1, 1)),
                    "plait::EarlyStopping: better of task 1: got higher, expected lower, as its "
                    "metric");
  CHECK_THROWS_AS(EarlyStopping({{}, {}, {.better = Better::lower}}).update(evaluation(1, 1, 1)),
                  plait::ConfigError);
  CHECK(wrong.evaluations() == 0);
  CHECK(std::isnan(wrong.best(0)));
}

TEST_CASE("watches may be written in every kind of braces") {
  CHECK(EarlyStopping({{}, {}}).num_tasks() == 2);
  CHECK(EarlyStopping({{}}).num_tasks() == 1);
  CHECK(EarlyStopping({{}, {}}, {}).num_tasks() == 2);
  CHECK(EarlyStopping({{}, {}, {}}).num_tasks() == 3);
  EarlyStopping parentheses({{}, {}});
  EarlyStopping braces{{{}, {}}}, three{{{}, {}, {}}}, patient{{{}, {}}, {.patience = 7}};
  CHECK(parentheses.num_tasks() == 2);
  CHECK(braces.num_tasks() == 2);
  CHECK(three.num_tasks() == 3);
  CHECK(patient.num_tasks() == 2);
  const std::vector<plait::Watch> watches(4);
  CHECK(EarlyStopping(watches).num_tasks() == 4);
  CHECK(EarlyStopping{watches, {.patience = 2}}.num_tasks() == 4);
  plait::Watch lower;
  lower.better = Better::lower;
  CHECK((EarlyStopping({lower, {Better::higher, 0.5}}).num_tasks() == 2));
}

TEST_CASE("a stored state goes on as if nothing had happened") {
  const std::vector<Values> evaluations{{0.70, 1.0}, {0.72, missing}, {0.71, 1.2},   {0.73, 1.1},
                                        {0.72, 1.1}, {0.72, 1.1},     {missing, 1.2}};
  for (std::size_t cut = 0; cut < evaluations.size(); ++cut) {
    auto whole = auc_and_mse({.patience = 3});
    auto before = whole, after = whole;
    for (std::size_t i = 0; i < evaluations.size(); ++i) {
      whole.update(evaluations[i]);
      if (i == cut) after.restore(before.state());
      (i < cut ? before : after).update(evaluations[i]);
    }
    CHECK(after.stop() == whole.stop());
    CHECK(after.evaluations() == 7);
    CHECK(after.best_sum() == whole.best_sum());
    CHECK(after.best_sum_at() == whole.best_sum_at());
    for (const Index t : {0, 1}) {
      CHECK(after.best(t) == whole.best(t));
      CHECK(after.best_at(t) == whole.best_at(t));
      CHECK(after.gain(t) == whole.gain(t));
      CHECK(after.stalled(t) == whole.stalled(t));
    }
  }
}

TEST_CASE("every state that a run has is taken back") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double largest = std::numeric_limits<double>::max();
  constexpr std::array values{missing, infinity, -infinity, largest, -largest,
                              0.0,     1.0,      -0.5,      5e-324};
  plait::Random random(5);
  const auto drawn = [&] {
    return values[static_cast<std::size_t>(random.below(std::ssize(values)))];
  };
  for (int run = 0; run < 300; ++run) {
    std::vector<plait::Watch> watches;
    for (const Better better : {Better::higher, Better::lower, Better::closer_to_one}) {
      watches.push_back({.better = better, .unit = run % 3 == 0 ? 1e-300 : 1});
      if (run % 5 == 0) watches.back().baseline = largest;
    }
    EarlyStopping stopping(watches, {.min_gain = run % 7 == 0 ? infinity : 0.0});
    EarlyStopping other = stopping;
    for (int i = 0; i < 8; ++i) {
      const auto state = stopping.state();
      REQUIRE_NOTHROW(other.restore(state));
      const auto again = other.state();
      REQUIRE(std::ranges::equal(state, again, [](double a, double b) {
        return a == b || (std::isnan(a) && std::isnan(b));
      }));
      stopping.update(std::array{drawn(), drawn(), drawn()});
    }
  }
}

TEST_CASE("a state that no run has is refused, and changes nothing") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  auto stopping = auc_and_mse({});
  for (int i = 0; i < 3; ++i) stopping.update(Values{0.7, missing});
  const auto state = stopping.state();
  struct Forged {
    std::size_t place;
    double value;
  };
  // Evaluations; of the sum, best, at and since; of each task, baseline, gain, best value, and the
  // same three of its gain.
  const std::vector<Forged> forged{
      {4, infinity}, {4, -infinity}, {10, infinity},           // baselines
      {5, missing},  {11, missing},                            // gains
      {1, missing},  {1, -infinity}, {7, missing},   {13, 1},  // best gains
      {6, missing},  {6, infinity},  {12, 0.5},                // best values
      {2, -1},       {8, -1},        {14, 0},                  // where they were
      {3, 3},        {9, 3},                                   // evaluations since then
  };
  for (const auto& [place, value] : forged) {
    CAPTURE(place, value);
    auto other = state;
    other[place] = value;
    CHECK_THROWS_AS(stopping.restore(other), plait::ValueError);
    const auto after = stopping.state();
    CHECK(std::ranges::equal(after, state, [](double a, double b) {
      return a == b || (std::isnan(a) && std::isnan(b));
    }));
  }
  CHECK_THROWS_WITH(
      [&] {
        auto other = state;
        other[4] = infinity;
        stopping.restore(other);
      }(),
      "plait::EarlyStopping: state: got inf, expected a baseline that is finite, or NaN");
}

TEST_CASE("early stopping refuses what has no meaning") {
  auto stopping = auc_and_mse({});
  CHECK_THROWS_WITH(stopping.update(std::array{1.0}),
                    "plait::EarlyStopping: values: got 1, expected 2, one per task");
  CHECK(stopping.evaluations() == 0);
  CHECK_THROWS_WITH(stopping.restore(std::array{1.0}),
                    "plait::EarlyStopping: state: got 1 numbers, expected 16");
  stopping.update(Values{0.7, 1.0});
  stopping.update(Values{0.7, 1.0});
  const auto state = stopping.state();
  // Evaluations, then where the best sum was and how long ago, then the same of each task.
  for (const std::size_t place : {0u, 2u, 3u, 8u, 9u, 14u, 15u})
    for (const double value : {-2.0, 0.5, 3.0, 1e300, -1e300, missing}) {
      auto other = state;
      if (place == 0 && value == 3) continue;  // one can have evaluated three times
      other[place] = value;
      CHECK_THROWS_AS(stopping.restore(other), plait::ValueError);
      CHECK(stopping.evaluations() == 2);
      CHECK(stopping.best_at(0) == 0);
    }
  CHECK_THROWS_WITH(EarlyStopping({}),
                    "plait::EarlyStopping: tasks: got none, expected at least one");
  CHECK_THROWS_WITH(
      EarlyStopping({{}, {.unit = 0}}),
      "plait::EarlyStopping: unit of task 1: got 0, expected a finite number above 0");
  CHECK_THROWS_WITH(EarlyStopping(std::vector<plait::Watch>{{.baseline = missing}}),
                    "plait::EarlyStopping: baseline of task 0: got nan, expected a finite number");
  CHECK_THROWS_WITH(EarlyStopping({{}}, {.patience = 0}),
                    "plait::EarlyStopping: patience: got 0, expected at least 1");
  CHECK_THROWS_WITH(EarlyStopping({{}}, {.min_gain = -1}),
                    "plait::EarlyStopping: min_gain: got -1, expected at least 0");
}
