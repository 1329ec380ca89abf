#include "run.hpp"

#include <sstream>

#include "support/catch.hpp"

using namespace online;
using Catch::Matchers::ContainsSubstring;

namespace {

Options small(double turn) {
  Options options;
  options.first = 30000;
  options.impressions = 40000;
  options.parts = 2;
  options.turn = turn;
  return options;
}

}  // namespace

TEST_CASE("where tasks drift, learning beats staying by 0.05 of normalized entropy on every task") {
  const Outcome outcome = run(small(0.8));
  REQUIRE(outcome.parts.size() == 2);
  const Part& late = outcome.parts[1];
  REQUIRE(late.frozen.size() == 3);
  for (std::size_t t = 0; t < 3; ++t) {
    INFO("task " << t << ": frozen " << late.frozen[t].normalized_entropy << ", learning "
                 << late.learning[t].normalized_entropy);
    CHECK(late.learning[t].normalized_entropy < late.frozen[t].normalized_entropy - 0.05);
    CHECK(late.learning[t].normalized_entropy < 0.9);
    CHECK(late.learning[t].auc > late.frozen[t].auc);
  }
  CHECK(outcome.steps > 200);
  CHECK(outcome.whole.versions == 1 + outcome.steps / LearnerOptions().publish_every);
}

TEST_CASE("where nothing drifts, learning costs less than 0.01") {
  const Outcome outcome = run(small(0));
  for (std::size_t t = 0; t < 3; ++t)
    CHECK(outcome.whole.learning[t].normalized_entropy <
          outcome.whole.frozen[t].normalized_entropy + 0.01);
}

TEST_CASE("what is learned depends on the options alone, and on the seed") {
  Options options = small(0.8);
  options.impressions = 10000;
  const Outcome first = run(options);
  const Outcome again = run(options);
  options.seed = 2;
  const Outcome other = run(options);
  for (std::size_t t = 0; t < 3; ++t) {
    CHECK(first.whole.learning[t].normalized_entropy == again.whole.learning[t].normalized_entropy);
    CHECK(first.whole.frozen[t].auc == again.whole.frozen[t].auc);
    CHECK(first.whole.learning[t].normalized_entropy != other.whole.learning[t].normalized_entropy);
  }
  CHECK(first.steps == again.steps);

  std::ostringstream text;
  print(first, text);
  CHECK_THAT(text.str(), ContainsSubstring("buy: frozen, learning"));
  CHECK_THAT(text.str(), ContainsSubstring("\n      10000  "));
}
