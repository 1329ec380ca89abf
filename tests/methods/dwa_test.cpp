#include "plait/methods/dwa.hpp"

#include <cmath>

#include "methods/support.hpp"
#include "plait/methods/loss_weighting.hpp"

using Catch::Matchers::Message;
using methods_test::check_close;
using methods_test::Numbers;
using plait::DWA;
using plait::LossWeighting;

TEST_CASE("DWA has the worked values, from the means of two epochs") {
  const auto json = fixtures::load("D_balancing").at("DWA");
  const auto before = json.at("L(t-2)").get<Numbers>(), last = json.at("L(t-1)").get<Numbers>();
  LossWeighting weighting(DWA{.temperature = json.at("temperature").get<double>()}, 2);
  const auto epoch = [&](const Numbers& means) {
    for (const double shift : {-0.1, 0.25, -0.15}) {
      check_close(weighting.weigh(), Numbers{1, 1});
      weighting.update(Numbers{means[0] + shift, means[1] - shift});
    }
    weighting.end_epoch();
  };
  epoch(before);
  epoch(last);
  check_close(weighting.weigh(), json.at("lambda(sum=T)"));
  weighting.update(Numbers{100, 100});
  check_close(weighting.weigh(), json.at("lambda(sum=T)"));  // for the whole epoch
}

TEST_CASE("DWA: batches without a task's labels do not count in its mean") {
  LossWeighting sparse(DWA{}, 2), dense(DWA{}, 2);
  for (const double loss : {2.0, 1.0}) {
    sparse.update(Numbers{loss, 0});
    sparse.update(Numbers{0, loss / 2});
    dense.update(Numbers{loss, loss / 2});
    sparse.end_epoch();
    dense.end_epoch();
  }
  dense.update(Numbers{1, 1});
  const auto w = sparse.weigh();
  check_close(w, Numbers{1, 1});  // both halved
  check_close(dense.weigh(), Numbers(w.begin(), w.end()));

  // An epoch without any label leaves the ratio as it was.
  LossWeighting absent(DWA{.temperature = 1}, 2);
  for (const double loss : {1.0, 0.5, 0.0}) {
    absent.update(Numbers{loss, 1});
    absent.end_epoch();
  }
  const double a = std::exp(0.5), b = std::exp(1.0);
  check_close(absent.weigh(), Numbers{2 * a / (a + b), 2 * b / (a + b)});
}

TEST_CASE("DWA: losses of zero or below, and ratios beyond all bounds, leave weights finite") {
  LossWeighting weighting(DWA{.temperature = 1e-3}, 2);
  for (const double loss : {1e-300, 1e300, -1.0, 0.0, 5.0}) {
    weighting.update(Numbers{loss, 1});
    weighting.end_epoch();
    for (const double w : weighting.weigh()) CHECK(std::isfinite(w));
  }
}

TEST_CASE("DWA refuses a temperature that is not above 0") {
  CHECK_THROWS_MATCHES(LossWeighting(DWA{.temperature = 0}, 2), plait::ConfigError,
                       Message("plait::DWA: temperature: got 0, expected a finite number above 0"));
}
