#include "plait/methods/geometric_mean.hpp"

#include <cmath>

#include "methods/support.hpp"
#include "plait/methods/loss_weighting.hpp"

using Catch::Matchers::Message;
using methods_test::check_close;
using methods_test::Numbers;
using plait::GeometricMean;
using plait::LossWeighting;

TEST_CASE("the weights of the geometric mean are its gradient") {
  LossWeighting weighting(GeometricMean{}, 3);
  Numbers losses{0.5, 2, 8};
  const auto mean = [](const Numbers& l) { return std::cbrt(l[0] * l[1] * l[2]); };
  Numbers expected;
  for (std::size_t t = 0; t < 3; ++t) {
    Numbers up = losses, down = losses;
    up[t] += 1e-6;
    down[t] -= 1e-6;
    expected.push_back((mean(up) - mean(down)) / 2e-6);
  }
  check_close(weighting.weigh(losses), expected, 1e-8);
  // The mean of 0.5, 2 and 8 is 2.
  check_close(weighting.weigh(losses), Numbers{4.0 / 3, 1.0 / 3, 1.0 / 12}, 1e-14);
}

TEST_CASE("the geometric mean is over the tasks with a loss") {
  LossWeighting weighting(GeometricMean{}, 3);
  check_close(weighting.weigh(Numbers{0.5, 0, 8}), Numbers{2, 0, 0.125}, 1e-14);
  check_close(weighting.weigh(Numbers{0, 0, 3}), Numbers{0, 0, 1}, 1e-14);
  check_close(weighting.weigh(Numbers{0, 0, 0}), Numbers{0, 0, 0});
}

TEST_CASE("the geometric mean refuses losses without one") {
  LossWeighting weighting(GeometricMean{}, 2);
  CHECK_THROWS_MATCHES(
      weighting.weigh(Numbers{1, -2}), plait::ValueError,
      Message("plait::GeometricMean: losses: got -2, expected 0 or numbers well above 0"));
  CHECK_THROWS_AS(weighting.weigh(Numbers{1e-320, 1e308}), plait::ValueError);
  CHECK_THROWS_MATCHES(weighting.weigh(), plait::ShapeError,
                       Message("plait::LossWeighting: losses: got 0, expected 2, one per task"));
  check_close(weighting.weights(), Numbers{1, 1});
}
