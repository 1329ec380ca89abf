#include "plait/metrics/auc.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "plait/core/random.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"

using Catch::Matchers::WithinAbs;
using plait::AUC;

namespace {

struct Sample {
  double score, label, weight;
};

// Few distinct scores, so that most pairs of neighbours tie.
std::vector<Sample> samples(int count, bool soft) {
  plait::Random random(5);
  std::vector<Sample> result;
  for (int i = 0; i < count; ++i)
    result.push_back({static_cast<double>(random.below(40)) / 7 - 2,
                      soft ? random.uniform() : static_cast<double>(random.below(2)),
                      random.uniform() * 3});
  return result;
}

// The definition: over all pairs of a positive and a negative.
double brute_force(const std::vector<Sample>& all) {
  double right = 0, pairs = 0;
  for (const Sample& p : all)
    for (const Sample& n : all) {
      const double weight = p.weight * p.label * n.weight * (1 - n.label);
      pairs += weight;
      if (p.score > n.score) right += weight;
      if (p.score == n.score) right += weight / 2;
    }
  return right / pairs;
}

AUC accumulate(const std::vector<Sample>& all) {
  AUC auc;
  for (const Sample& s : all) auc.add(s.score, s.label, s.weight);
  return auc;
}

}  // namespace

TEST_CASE("AUC has the worked value, ties counting half") {
  const auto json = fixtures::load("E_metrics");
  AUC auc;
  for (std::size_t i = 0; i < json.at("score").size(); ++i)
    auc.add(json.at("score").at(i).get<double>(), json.at("label").at(i).get<double>());
  CHECK_THAT(auc.value(), WithinAbs(json.at("auc_ties_half").get<double>(), 1e-10));
}

TEST_CASE("AUC equals the definition over all pairs, with ties and weights") {
  for (const bool soft : {false, true}) {
    CAPTURE(soft);
    const auto all = samples(301, soft);
    CHECK_THAT(accumulate(all).value(), WithinAbs(brute_force(all), 1e-12));
  }
}

TEST_CASE("merged AUCs equal one AUC over all samples") {
  const auto all = samples(100, false);
  AUC first = accumulate({all.begin(), all.begin() + 37});
  const AUC second = accumulate({all.begin() + 37, all.end()});
  first.merge(second);
  CHECK(first.value() == accumulate(all).value());
  CHECK(first.value() != second.value());
}

TEST_CASE("AUC is exact at its extremes and blind to order-preserving changes") {
  AUC perfect, inverted, constant;
  for (const double score : {-std::numeric_limits<double>::infinity(), -1e300, 2.0, 1e300}) {
    const double label = score > 0 ? 1 : 0;
    perfect.add(score, label);
    inverted.add(-score, label);
    constant.add(3, label);
  }
  CHECK(perfect.value() == 1);
  CHECK(inverted.value() == 0);
  CHECK(constant.value() == 0.5);
}

TEST_CASE("AUC is NaN where it is undefined") {
  AUC auc;
  CHECK(std::isnan(auc.value()));
  auc.add(0.5, 1);
  auc.add(0.7, 1);
  CHECK(std::isnan(auc.value()));
  auc.add(0.6, 0);
  CHECK(auc.value() == 0.5);
  auc.add(std::numeric_limits<double>::quiet_NaN(), 0);
  CHECK(std::isnan(auc.value()));
}
