// FTRL-proximal on tensors.
#include "plait/optim/ftrl.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

#include "optim/support.hpp"
#include "plait/optim/optimizer.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"

using Catch::Matchers::Message;
using namespace plait;
using namespace optim_test;

namespace {

// One parameter of so many numbers.
std::shared_ptr<const ParamTable> numbers(Index size) {
  auto table = std::make_shared<ParamTable>();
  table->add_vector("p", size, Init::constant(0));
  return table;
}

// The numbers of the worked rows, as one tensor: rows that no step names have gradient 0.
template <class Scalar>
void check_worked(const char* name, const FTRL& rule) {
  const auto json = fixtures::load("H_embeddings").at("rules");
  const auto& results = json.at("results");
  const auto result = std::ranges::find_if(
      results, [&](const auto& r) { return r.at("name").template get<std::string>() == name; });
  REQUIRE(result != results.end());
  const auto table = numbers(18);
  ParamBuffer<Scalar> values(table), gradient(table);
  for (std::size_t i = 0; i < 18; ++i)
    values.of("p")[i] = json.at("weight").at(i / 3).at(i % 3).get<Scalar>();
  Optimizer<Scalar> optimizer(table, rule);
  for (std::size_t k = 0; k < 3; ++k) {
    const auto& step = json.at("steps").at(k);
    std::ranges::fill(gradient.flat(), Scalar(0));
    for (std::size_t bag = 0; bag + 1 < step.at("offsets").size(); ++bag)
      for (auto i = step.at("offsets").at(bag).get<std::size_t>();
           i < step.at("offsets").at(bag + 1).get<std::size_t>(); ++i)
        for (std::size_t d = 0; d < 3; ++d)
          gradient.of("p")[3 * step.at("ids").at(i).get<std::size_t>() + d] +=
              step.at("d_y").at(bag).at(d).get<Scalar>();
    optimizer.step(values, gradient);
    for (std::size_t i = 0; i < 18; ++i) {
      const double expected =
          result->at("weight_after_step_1_2_3").at(k).at(i / 3).at(i % 3).template get<double>();
      CAPTURE(name, k, i);
      CHECK(std::abs(static_cast<double>(values.of("p")[i]) - expected) <=
            (sizeof(Scalar) == sizeof(double) ? 1e-12 : 1e-6) * std::max(1.0, std::abs(expected)));
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("FTRL takes the worked steps", "", float, double) {
  check_worked<TestType>("O12_ftrl", {.learning_rate = 0.1});
  check_worked<TestType>("O13_ftrl_l1_l2", {.learning_rate = 0.1, .l1 = 0.5, .l2 = 0.1});
}

TEST_CASE("without l1 and l2 FTRL is p -= rate g / (beta + root of the sum of g²)") {
  const auto table = two_tensors();
  for (const double decay : {0.0, 0.1}) {
    Optimizer<double> optimizer(table,
                                FTRL{.learning_rate = 0.3, .beta = 0.7, .weight_decay = decay});
    auto values = start<double>(table);
    auto expected = values;
    ParamBuffer<double> sum(table);
    for (int k = 0; k < 9; ++k) {
      const auto grad = gradient<double>(table, k % 3);
      optimizer.step(values, grad);
      for (const ParamEntry& entry : table->entries())
        for (std::size_t i = 0; i < expected.of(entry.id).size(); ++i) {
          double& p = expected.of(entry.id)[i];
          const double g = grad.of(entry.id)[i] + decay * p;
          double& a = sum.of(entry.id)[i];
          a += g * g;
          p -= 0.3 * g / (0.7 + std::sqrt(a));
          CHECK(std::abs(values.of(entry.id)[i] - p) < 1e-12);
        }
    }
  }
}

TEST_CASE("l1 holds numbers of small gradients at zero, and lets them go") {
  const auto table = numbers(2);
  ParamBuffer<double> values(table), grad(table);
  Optimizer<double> optimizer(table, FTRL{.learning_rate = 0.1, .l1 = 1});
  const auto step = [&](double first, double second) {
    grad.of("p")[0] = first;
    grad.of("p")[1] = second;
    optimizer.step(values, grad);
  };
  step(0.1, -3);
  CHECK(values.of("p")[0] == 0);
  CHECK(values.of("p")[1] > 0);
  for (int k = 0; k < 20; ++k) step(0.1, 3);
  CHECK(values.of("p")[0] < 0);
  CHECK(values.of("p")[1] < 0);
}

TEST_CASE("FTRL goes on from a state that was kept") {
  const auto table = two_tensors();
  const FTRL rule{.learning_rate = 0.3, .l1 = 0.1, .l2 = 0.2};
  Optimizer<float> whole(table, rule), resumed(table, rule);
  CHECK(whole.moment_names() == std::vector<std::string>{"z", "sum"});
  auto values = start<float>(table);
  for (int k = 0; k < 2; ++k) whole.step(values, gradient<float>(table, k));
  auto copy = values;
  resumed.restore(whole.steps(), whole.moments());
  for (int k = 2; k < 6; ++k) {
    whole.step(values, gradient<float>(table, k % 3));
    resumed.step(copy, gradient<float>(table, k % 3));
  }
  CHECK(std::ranges::equal(values.flat(), copy.flat()));
  CHECK(std::ranges::equal(whole.moments()[0].flat(), resumed.moments()[0].flat()));
}

TEST_CASE("a rate of 0 moves nothing") {
  const auto table = two_tensors();
  Optimizer<float> optimizer(table, FTRL{.l1 = 0.1},
                             {.schedule = Schedule::constant().with_warmup(2, 0)});
  auto values = start<float>(table);
  optimizer.step(values, gradient<float>(table, 0));
  CHECK(std::ranges::equal(values.flat(), start<float>(table).flat()));
  optimizer.step(values, gradient<float>(table, 1));
  CHECK_FALSE(std::ranges::equal(values.flat(), start<float>(table).flat()));
}

TEST_CASE("hyper-parameters of FTRL out of range are refused") {
  const auto table = two_tensors();
  const auto make = [&](const FTRL& rule) { Optimizer<float>(table, rule); };
  CHECK_THROWS_MATCHES(
      make({.learning_rate = 0}), ConfigError,
      Message("plait::FTRL: learning_rate: got 0, expected a finite number above 0"));
  CHECK_THROWS_AS(make({.beta = 0}), ConfigError);
  CHECK_THROWS_AS(make({.l1 = -1}), ConfigError);
  CHECK_THROWS_AS(make({.l2 = std::numeric_limits<double>::infinity()}), ConfigError);
  CHECK_THROWS_AS(make({.weight_decay = -1}), ConfigError);
}
