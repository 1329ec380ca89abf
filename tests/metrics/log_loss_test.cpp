#include "plait/metrics/log_loss.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/fixtures.hpp"

using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using plait::LogLoss;

TEST_CASE("log-loss and normalized entropy have the worked values") {
  const auto json = fixtures::load("E_metrics");
  LogLoss from_probability, from_logit;
  for (std::size_t i = 0; i < json.at("score").size(); ++i) {
    const auto p = json.at("score").at(i).get<double>();
    const auto y = json.at("label").at(i).get<double>();
    from_probability.add_probability(p, y);
    from_logit.add_logit(std::log(p / (1 - p)), y);
  }
  for (const LogLoss& loss : {from_probability, from_logit}) {
    CHECK_THAT(loss.value(), WithinAbs(json.at("logloss").get<double>(), 1e-10));
    const auto expected = json.at("normalized_entropy").get<double>();
    CHECK_THAT(loss.normalized_entropy(), WithinAbs(expected, 1e-10));
    CHECK_THAT(1 - loss.normalized_entropy(), WithinAbs(json.at("RIG=1-NE").get<double>(), 1e-10));
    CHECK_THAT(loss.value() / loss.normalized_entropy(),
               WithinAbs(json.at("background_entropy").get<double>(), 1e-10));
  }
}

TEST_CASE("the best constant prediction has a normalized entropy of 1") {
  LogLoss loss;
  for (int i = 0; i < 10; ++i) loss.add_probability(0.3, i < 3 ? 1 : 0);
  CHECK_THAT(loss.normalized_entropy(), WithinAbs(1, 1e-14));
}

TEST_CASE("normalized entropy keeps its digits however rare a class is") {
  for (const double rare : {1e-3, 1e-6, 1e-12, 1e-100, 1e-290})
    for (const double label : {0.0, 1.0}) {
      CAPTURE(rare, label);
      LogLoss loss;
      loss.add_logit(0, label, 1e6);
      loss.add_logit(0, 1 - label, rare);
      // Of the rate r = rare / 1e6, up to r²: r (1 - log r); every sample's loss is log 2.
      const double rate = rare / (1e6 + rare);
      const double entropy = rate * (1 - std::log(rate)) - rate * rate / 2;
      CHECK_THAT(loss.normalized_entropy(), WithinRel(std::log(2.0) / entropy, 1e-13));
    }
  // The classes' names do not matter.
  LogLoss positive, negative;
  for (const double y : {0.25, 0.9, 1.0, 1.0}) {
    positive.add_logit(1.5, y, 3);
    negative.add_logit(-1.5, 1 - y, 3);
  }
  CHECK_THAT(positive.normalized_entropy(), WithinRel(negative.normalized_entropy(), 1e-15));
}

TEST_CASE("a weight counts as so many samples, in one accumulator or in two") {
  LogLoss repeated, first, second;
  for (int i = 0; i < 3; ++i) repeated.add_logit(0.4, 1);
  repeated.add_logit(-1.5, 0);
  repeated.add_logit(2, 0.25);
  first.add_logit(0.4, 1, 3);
  second.add_logit(-1.5, 0);
  second.add_logit(2, 0.25);
  first.merge(second);
  CHECK_THAT(first.value(), WithinRel(repeated.value(), 1e-14));
  CHECK_THAT(first.normalized_entropy(), WithinRel(repeated.normalized_entropy(), 1e-14));
}

TEST_CASE("certain predictions: logits are exact, probabilities are clamped as in PyTorch") {
  LogLoss logit;
  logit.add_logit(-1e4, 1);
  CHECK(logit.value() == 1e4);
  // F.binary_cross_entropy(torch.tensor([0., 1., 0.3]), torch.tensor([1., 1., 0.6]),
  //                        reduction='none')
  const double p[] = {0, 1, 0.3}, y[] = {1, 1, 0.6}, expected[] = {100, 0, 0.8650536601710546};
  for (int i = 0; i < 3; ++i) {
    LogLoss probability;
    probability.add_probability(p[i], y[i]);
    CHECK_THAT(probability.value(), WithinAbs(expected[i], 1e-14));
  }
}

TEST_CASE("log-loss is NaN where it is undefined") {
  LogLoss loss;
  CHECK(std::isnan(loss.value()));
  CHECK(std::isnan(loss.normalized_entropy()));
  loss.add_logit(0.5, 1);
  CHECK(std::isfinite(loss.value()));
  CHECK(std::isnan(loss.normalized_entropy()));  // one class only
  loss.add_logit(0.5, 0);
  CHECK(std::isfinite(loss.normalized_entropy()));
  loss.add_probability(std::nan(""), 0);
  CHECK(std::isnan(loss.value()));
}
