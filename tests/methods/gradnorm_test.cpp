#include "plait/methods/gradnorm.hpp"

#include <cmath>
#include <numeric>

#include "methods/support.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/optim/adam.hpp"

using Catch::Matchers::Message;
using methods_test::check_close;
using methods_test::Numbers;
using plait::GradNorm;
using plait::LossWeighting;
using plait::MethodState;

TEST_CASE("GradNorm has the worked values") {
  const auto json = fixtures::load("D_balancing").at("GradNorm");
  const auto losses = json.at("L").get<Numbers>();
  const auto norms = json.at("grad_norms_of_unweighted_losses").get<Numbers>();
  const GradNorm method{.alpha = json.at("alpha").get<double>()};
  MethodState state{.numbers = json.at("w").get<Numbers>()};
  for (const double first : json.at("L0").get<Numbers>()) state.numbers.push_back(first);
  Numbers gradient(2);
  plait::Scratch scratch;
  method.gradient({2, losses, norms}, state, gradient, scratch);
  check_close(gradient, json.at("dLgrad_dw"));

  LossWeighting weighting(method, 2);
  weighting.restore(state);
  check_close(weighting.weigh(), json.at("w"));
  weighting.update(losses, norms);
  check_close(weighting.weigh(), json.at("w_renormalised_sum_T"));
  check_close(std::span(weighting.state().numbers).last(2), json.at("L0"));
}

TEST_CASE("trap: GradNorm given one mean rate for every task") {
  // Equal gradient norms: only the rates tell the tasks apart. Task 1 has not come as far, so its
  // weight must rise; with one mean rate for both, no weight would move.
  LossWeighting weighting(GradNorm{}, 2);
  const Numbers norms{1, 1};
  weighting.update(Numbers{1, 1}, norms);
  check_close(weighting.weigh(), Numbers{1, 1});
  weighting.update(Numbers{0.2, 0.9}, norms);
  const auto w = weighting.weigh();
  CHECK(w[1] > 1.01);
  CHECK(w[0] < 0.99);
}

TEST_CASE("GradNorm: the first losses are what rates are relative to") {
  LossWeighting weighting(GradNorm{}, 3);
  const Numbers norms{1, 2, 3};
  weighting.update(Numbers{2, 0, 8}, norms);
  check_close(std::span(weighting.state().numbers).last(3), Numbers{2, 0, 8});
  weighting.update(Numbers{1, 5, 7}, norms);
  check_close(std::span(weighting.state().numbers).last(3), Numbers{2, 5, 8});
}

TEST_CASE("GradNorm: with alpha 0 the weighted norms become equal") {
  LossWeighting weighting(GradNorm{.alpha = 0, .rule = plait::SGD{.learning_rate = 1e-3}}, 3);
  const Numbers norms{1, 2, 4}, losses{1, 1, 1};
  for (int step = 0; step < 5000; ++step) weighting.update(losses, norms);
  const auto w = weighting.weigh();
  const double sum = 1 + 0.5 + 0.25;
  check_close(w, Numbers{3 / sum, 1.5 / sum, 0.75 / sum}, 0.02);
}

TEST_CASE("GradNorm: a task without a loss moves with the others' sum only") {
  LossWeighting three(GradNorm{}, 3), two(GradNorm{}, 2);
  three.update(Numbers{1, 1, 0}, Numbers{1, 3, 0});
  two.update(Numbers{1, 1}, Numbers{1, 3});
  const auto a = three.weigh(), b = two.weigh();
  CHECK_THAT(a[0] / a[1], Catch::Matchers::WithinAbs(b[0] / b[1], 1e-14));
  CHECK_THAT(a[0] + a[1] + a[2], Catch::Matchers::WithinAbs(3, 1e-14));
  // None of them: nothing moves.
  const Numbers before(a.begin(), a.end());
  three.update(Numbers{0, 0, 0}, Numbers{0, 0, 0});
  check_close(three.weigh(), before, 1e-15);
}

TEST_CASE("GradNorm: weights stay at 0 or above, sum to T and stay finite") {
  plait::Random random(3);
  const auto check = [&](auto weighting) {
    for (int step = 0; step < 300; ++step) {
      Numbers losses, norms;
      for (int t = 0; t < 4; ++t) {
        losses.push_back(random.below(4) == 0 ? 0 : std::pow(10, random.symmetric(8)));
        norms.push_back(losses.back() == 0 ? 0 : std::pow(10, random.symmetric(4)));
      }
      weighting.update(losses, norms);
      const auto w = weighting.weigh();
      CHECK_THAT(std::accumulate(w.begin(), w.end(), 0.0), Catch::Matchers::WithinAbs(4, 1e-9));
      for (const double weight : w) CHECK(weight >= 0);
    }
  };
  check(LossWeighting(GradNorm{.rule = plait::SGD{.learning_rate = 1}}, 4));
  check(LossWeighting(GradNorm{.rule = plait::Adam{.learning_rate = 0.1}}, 4));
}

TEST_CASE("GradNorm refuses what it has no rate for, before anything is changed") {
  CHECK_THROWS_MATCHES(
      LossWeighting(GradNorm{.alpha = -1}, 2), plait::ConfigError,
      Message("plait::GradNorm: alpha: got -1, expected a finite number of at least 0"));
  LossWeighting weighting(GradNorm{}, 2);
  const Numbers before = weighting.state().numbers;
  CHECK_THROWS_MATCHES(weighting.update(Numbers{1, -1}, Numbers{1, 1}), plait::ValueError,
                       Message("plait::GradNorm: loss of task 1: got -1, expected at least 0"));
  CHECK_THROWS_MATCHES(
      weighting.update(Numbers{1, 1}), plait::ShapeError,
      Message("plait::LossWeighting: gradient_norms: got 0, expected 2, one per task"));
  CHECK(weighting.state().numbers == before);
  CHECK(weighting.state().steps == 0);
}
