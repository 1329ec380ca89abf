#include "plait/methods/random_weights.hpp"

#include <numeric>

#include "methods/support.hpp"
#include "plait/methods/loss_weighting.hpp"

using methods_test::Numbers;
using plait::LossWeighting;
using plait::RandomWeights;

TEST_CASE("random weights are a softmax of normals, new in every step, and repeat with the seed") {
  LossWeighting a(RandomWeights{}, 3, 7), b(RandomWeights{}, 3, 7), c(RandomWeights{}, 3, 8);
  Numbers mean(3, 0.0), last;
  for (int step = 0; step < 2000; ++step) {
    const auto w = a.weigh();
    const Numbers now(w.begin(), w.end());
    CHECK_THAT(std::accumulate(now.begin(), now.end(), 0.0), Catch::Matchers::WithinAbs(1, 1e-14));
    const auto same = b.weigh();
    CHECK(now == Numbers(same.begin(), same.end()));
    const auto other = c.weigh();
    CHECK(now != Numbers(other.begin(), other.end()));
    CHECK(now != last);
    last = now;
    for (std::size_t t = 0; t < 3; ++t) mean[t] += now[t] / 2000;
    a.update(Numbers{1, 1, 1});
    b.update(Numbers{1, 1, 1});
  }
  methods_test::check_close(mean, Numbers(3, 1.0 / 3), 0.02);
}

TEST_CASE("random weights: the logarithms of their ratios have the variance of two normals") {
  LossWeighting weighting(RandomWeights{}, 2, 3);
  double sum = 0;
  for (int step = 0; step < 4000; ++step) {
    const auto w = weighting.weigh();
    const double ratio = std::log(w[0] / w[1]);
    sum += ratio * ratio / 4000;
  }
  CHECK_THAT(sum, Catch::Matchers::WithinAbs(2, 0.15));
}
