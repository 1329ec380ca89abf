#include "plait/methods/stch.hpp"

#include <algorithm>
#include <cmath>

#include "methods/support.hpp"
#include "plait/methods/loss_weighting.hpp"

using Catch::Matchers::Message;
using methods_test::check_close;
using methods_test::Numbers;
using plait::LossWeighting;
using plait::STCH;

namespace {

// T μ log Σ exp(λ_t f_t / μ), straight from the paper.
double total(const STCH& method, const Numbers& losses, const Numbers& nadir) {
  double sum = 0;
  for (std::size_t t = 0; t < losses.size(); ++t) {
    const double f = method.log_scale ? std::log(losses[t] / nadir[t])
                                      : losses[t] - (method.ideal.empty() ? 0 : method.ideal[t]);
    sum += std::exp((method.preferences.empty() ? 1 : method.preferences[t]) * f / method.mu);
  }
  return static_cast<double>(losses.size()) * method.mu * std::log(sum);
}

Numbers gradient(const STCH& method, const Numbers& losses, const Numbers& nadir) {
  Numbers result;
  for (std::size_t t = 0; t < losses.size(); ++t) {
    Numbers up = losses, down = losses;
    up[t] += 1e-6;
    down[t] -= 1e-6;
    result.push_back((total(method, up, nadir) - total(method, down, nadir)) / 2e-6);
  }
  return result;
}

}  // namespace

TEST_CASE("STCH's weights are the gradient of its total") {
  const Numbers losses{0.5, 1.25, 0.75};
  for (const STCH& method : {STCH{}, STCH{.mu = 0.2}, STCH{.mu = 0.5, .preferences = {1, 0.5, 2}},
                             STCH{.mu = 2, .preferences = {1, 0, 2}, .ideal = {0.1, 0.2, 0.3}}}) {
    LossWeighting weighting(method, 3);
    check_close(weighting.weigh(losses), gradient(method, losses, {}), 1e-7);
  }
}

TEST_CASE("STCH on log scale: a warm-up, then losses relative to those of the epoch after it") {
  const STCH method{.mu = 0.5, .preferences = {1, 2}, .log_scale = true, .warmup_epochs = 1};
  LossWeighting weighting(method, 2);
  const Numbers losses{0.5, 4};
  const Numbers reciprocal{2, 0.25};  // of Σ log L
  const auto epoch = [&](const Numbers& a, const Numbers& b) {
    check_close(weighting.weigh(losses), reciprocal);
    weighting.update(a);
    weighting.update(b);
    weighting.end_epoch();
  };
  epoch({100, 100}, {100, 100});  // warm-up: forgotten
  epoch({1, 6}, {3, 0});          // nadir 2 and 6, the 0 being a batch without labels
  check_close(weighting.weigh(losses), gradient(method, losses, {2, 6}), 1e-7);
  weighting.update(Numbers{50, 50});  // the nadir stays
  weighting.end_epoch();
  check_close(weighting.weigh(losses), gradient(method, losses, {2, 6}), 1e-7);
}

TEST_CASE("STCH: equal losses give weights of 1, small mu the largest alone") {
  LossWeighting equal(STCH{}, 4);
  check_close(equal.weigh(Numbers{3, 3, 3, 3}), Numbers{1, 1, 1, 1}, 1e-14);
  LossWeighting sharp(STCH{.mu = 1e-6}, 3);
  check_close(sharp.weigh(Numbers{1, 3, 2}), Numbers{0, 3, 0});
}

TEST_CASE("STCH is over the tasks with a loss, and finite") {
  LossWeighting weighting(STCH{}, 3), two(STCH{}, 2);
  const auto w = two.weigh(Numbers{1, 2});
  check_close(weighting.weigh(Numbers{1, 0, 2}), Numbers{w[0], 0, w[1]}, 1e-14);
  check_close(weighting.weigh(Numbers{0, 0, 0}), Numbers{0, 0, 0});
  LossWeighting sharp(STCH{.mu = 1e-20}, 3);
  for (const double loss : {1e300, -1e300, 1e-300}) {
    for (const double weight : weighting.weigh(Numbers{loss, 1, 2})) CHECK(std::isfinite(weight));
    for (const double weight : sharp.weigh(Numbers{loss, 1, 2})) CHECK(std::isfinite(weight));
  }
  // A task without labels while the nadir was set.
  LossWeighting unseen(STCH{.log_scale = true, .warmup_epochs = 0}, 2);
  unseen.update(Numbers{2, 0});
  unseen.end_epoch();
  check_close(unseen.weigh(Numbers{2, 1}), Numbers{0.5, 1}, 1e-14);
}

TEST_CASE("STCH refuses what makes no sense") {
  CHECK_THROWS_MATCHES(LossWeighting(STCH{.mu = 0}, 2), plait::ConfigError,
                       Message("plait::STCH: mu: got 0, expected a finite number above 0"));
  CHECK_THROWS_MATCHES(
      LossWeighting(STCH{.preferences = {1}}, 2), plait::ConfigError,
      Message("plait::STCH: preferences: got 1 numbers, expected 2, one per task, or none"));
  CHECK_THROWS_MATCHES(
      LossWeighting(STCH{.ideal = {1, -1}}, 2), plait::ConfigError,
      Message("plait::STCH: ideal: got -1, expected finite numbers of at least 0"));
  CHECK_THROWS_MATCHES(LossWeighting(STCH{.warmup_epochs = -1}, 2), plait::ConfigError,
                       Message("plait::STCH: warmup_epochs: got -1, expected at least 0"));
  LossWeighting weighting(STCH{.log_scale = true}, 2);
  CHECK_THROWS_MATCHES(weighting.weigh(Numbers{-1, 2}), plait::ValueError,
                       Message("plait::STCH: losses: got -1, expected 0 or numbers well above 0"));
}
