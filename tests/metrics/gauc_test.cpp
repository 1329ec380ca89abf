#include "plait/metrics/gauc.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "plait/core/random.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"

using Catch::Matchers::WithinAbs;
using plait::GAUC;
using plait::GroupWeights;

namespace {

struct Sample {
  std::int64_t group;
  double score, label, weight;
};

std::vector<Sample> samples(int count) {
  plait::Random random(17);
  std::vector<Sample> result;
  for (int i = 0; i < count; ++i)
    result.push_back({random.below(20) * 1000003 - 7, double(random.below(6)),
                      double(random.below(2)), 0.5 + random.uniform()});
  return result;
}

GAUC accumulate(const std::vector<Sample>& all) {
  GAUC gauc;
  for (const Sample& s : all) gauc.add(s.group, s.score, s.label, s.weight);
  return gauc;
}

// The definition: an AUC of each group by itself.
double brute_force(const std::vector<Sample>& all, GroupWeights weights) {
  std::map<std::int64_t, std::vector<Sample>> groups;
  for (const Sample& s : all) groups[s.group].push_back(s);
  double sum = 0, total = 0;
  for (const auto& [id, group] : groups) {
    double right = 0, pairs = 0, impressions = 0;
    for (const Sample& p : group) {
      impressions += p.weight;
      for (const Sample& n : group) {
        const double weight = p.weight * p.label * n.weight * (1 - n.label);
        pairs += weight;
        right += weight * (p.score > n.score ? 1 : p.score == n.score ? 0.5 : 0);
      }
    }
    if (pairs == 0) continue;
    const double weight = weights == GroupWeights::equal ? 1 : impressions;
    sum += weight * right / pairs;
    total += weight;
  }
  return sum / total;
}

}  // namespace

TEST_CASE("GAUC has the worked values, by impressions and unweighted") {
  const auto json = fixtures::load("E_metrics");
  GAUC gauc;
  std::map<std::int64_t, GAUC> alone;
  for (std::size_t i = 0; i < json.at("score").size(); ++i) {
    const auto at = [&](const char* key) { return json.at(key).at(i).get<double>(); };
    const auto group = static_cast<std::int64_t>(at("group"));
    gauc.add(group, at("score"), at("label"));
    alone[group].add(group, at("score"), at("label"));
  }
  CHECK_THAT(gauc.value(), WithinAbs(json.at("gauc_weighted_by_impressions").get<double>(), 1e-10));
  CHECK_THAT(gauc.value(GroupWeights::equal),
             WithinAbs(json.at("gauc_unweighted(TorchEasyRec)").get<double>(), 1e-10));
  CHECK_THAT(alone[0].value(), WithinAbs(json.at("group_auc").at("0").get<double>(), 1e-10));
  CHECK_THAT(alone[1].value(), WithinAbs(json.at("group_auc").at("1").get<double>(), 1e-10));
  CHECK(std::isnan(alone[2].value()));
}

TEST_CASE("GAUC equals the definition over the pairs of every group, with ties and weights") {
  const auto all = samples(200);
  for (const GroupWeights weights : {GroupWeights::impressions, GroupWeights::equal})
    CHECK_THAT(accumulate(all).value(weights), WithinAbs(brute_force(all, weights), 1e-12));
  CHECK(accumulate(all).value() != accumulate(all).value(GroupWeights::equal));
}

TEST_CASE("a group's samples may be added in any order and in several accumulators") {
  const auto all = samples(100);
  GAUC backwards;
  for (auto s = all.rbegin(); s != all.rend(); ++s)
    backwards.add(s->group, s->score, s->label, s->weight);
  CHECK_THAT(backwards.value(), WithinAbs(accumulate(all).value(), 1e-14));
  GAUC merged = accumulate({all.begin(), all.begin() + 41});
  merged.merge(accumulate({all.begin() + 41, all.end()}));
  CHECK(merged.value() == accumulate(all).value());
}

TEST_CASE("GAUC is blind to what differs between groups") {
  GAUC gauc, shifted;
  for (const Sample& s : samples(100)) {
    gauc.add(s.group, s.score, s.label);
    shifted.add(s.group, s.score + 100 * double(s.group % 7), s.label);
  }
  CHECK(gauc.value() == shifted.value());
}

TEST_CASE("GAUC is NaN where it is undefined") {
  GAUC gauc;
  CHECK(std::isnan(gauc.value()));
  gauc.add(1, 0.5, 1);
  gauc.add(2, 0.7, 0);
  CHECK(std::isnan(gauc.value()));  // both classes, in no group
  gauc.add(2, 0.9, 1);
  CHECK(gauc.value() == 1);
  gauc.add(1, std::numeric_limits<double>::quiet_NaN(), 1);
  CHECK(std::isnan(gauc.value()));
}
