#include "rank_score.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "plait/core/tensor.hpp"
#include "support/catch.hpp"

using namespace service;

TEST_CASE("the rank is the product of powers") {
  plait::Tensor<float> scores(2, 1, 3);
  const float values[] = {0.5f, 2, 0.25f, 0.1f, 4, 0.9f};
  std::copy(std::begin(values), std::end(values), scores.view().data());
  const std::vector<double> weights = {1, 0.5, -2};
  std::vector<double> rank(2);
  rank_scores(scores, weights, rank);
  CHECK(rank[0] == Approx(0.5 * std::sqrt(2.0) / (0.25 * 0.25)).epsilon(1e-12));
  CHECK(rank[1] == Approx(0.1f * 2 / (0.9f * double{0.9f})).epsilon(1e-12));
}

TEST_CASE("every rank is a finite number") {
  plait::Tensor<float> scores(4, 1, 1);
  const float values[] = {-3, 0, 1e30f, 0.5f};
  std::copy(std::begin(values), std::end(values), scores.view().data());
  std::vector<double> rank(4);
  for (const double weight : {-32.0, 32.0, 0.0}) {
    const std::vector<double> weights = {weight};
    REQUIRE(valid_weights(weights));
    rank_scores(scores, weights, rank);
    for (const double r : rank) CHECK(std::isfinite(r));
    CHECK(rank[0] == rank[1]);  // both count as the smallest score
    if (weight > 0) CHECK(rank[2] > rank[3]);
    if (weight == 0) CHECK(rank == std::vector<double>(4, 1.0));
  }
  CHECK(!valid_weights(std::vector<double>{20, -13}));
  CHECK(!valid_weights(std::vector<double>{std::numeric_limits<double>::quiet_NaN()}));
  CHECK(!valid_weights(std::vector<double>{std::numeric_limits<double>::infinity()}));
}
