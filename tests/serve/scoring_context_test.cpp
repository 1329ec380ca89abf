// ScoringContext: equal to the network, whatever the batch; errors leave the output alone.
#include "plait/serve/scoring_context.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "plait/serve/scorer.hpp"
#include "serve/small_model.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;
using serve::sizes, serve::small_model;

TEST_CASE("scores equal the recorded forward bit for bit") {
  for (const auto& [name, trunk] : models::all_trunks<float>(sizes)) {
    INFO(name);
    const auto model = models::make(trunk, sizes);
    const auto x = data::normal<float>(50, sizes.input_dim, 3);
    Matrix<float> forward(50, sizes.num_tasks), scored(50, sizes.num_tasks);
    Sequential<float>::Workspace workspace;
    Scratch scratch;
    model.network().forward(model.values(), x, forward, &workspace, scratch);
    const Scorer scorer(model);
    scorer.context(50).score(x, scored);
    CHECK((forward.array() == scored.array()).all());
  }
}

TEST_CASE("any batch is scored, in tiles, and row by row the same") {
  const Scorer scorer(small_model());
  auto context = scorer.context(16);
  const auto x = data::normal<double>(100, sizes.input_dim, 3);
  Matrix<double> all(100, sizes.num_tasks);
  context.score(x, all);
  for (const Index batch : {0, 1, 3, 16, 17, 99}) {
    const Matrix<double> some = x.topRows(batch);
    Matrix<double> logits(batch, sizes.num_tasks);
    context.score(some, logits);
    INFO("batch " << batch);
    CHECK(logits == all.topRows(batch));
  }
}

TEST_CASE("a batch of one keeps its axes") {
  const Scorer scorer(small_model());
  auto context = scorer.context();
  const auto x = data::normal<double>(1, sizes.input_dim, 3);
  Matrix<double> logits = Matrix<double>::Zero(1, sizes.num_tasks);
  context.score(x, logits);
  CHECK((logits.array() != 0).all());
}

TEST_CASE("a row that is not finite spoils only itself") {
  const Scorer scorer(small_model());
  auto context = scorer.context();
  auto x = data::normal<double>(5, sizes.input_dim, 3);
  Matrix<double> clean(5, sizes.num_tasks), spoiled(5, sizes.num_tasks);
  context.score(x, clean);
  x(2, 1) = std::numeric_limits<double>::quiet_NaN();
  context.score(x, spoiled);
  CHECK(spoiled.row(2).array().isNaN().all());
  for (const Index b : {0, 1, 3, 4}) CHECK(spoiled.row(b) == clean.row(b));
}

static_assert(!std::is_copy_constructible_v<ScoringContext<double>> &&
              std::is_move_constructible_v<ScoringContext<double>>);
static_assert(!std::is_constructible_v<ScoringContext<double>, const Model<double>&>,
              "a scorer makes them");

template <class S>
concept MakesContext = requires(S scorer) {
  std::forward<S>(scorer).context();
};
static_assert(MakesContext<const Scorer<double>&> && !MakesContext<Scorer<double>&&>,
              "the scorer would be gone");

TEST_CASE("wrong shapes are named and leave the output alone") {
  const Scorer scorer(small_model());
  auto context = scorer.context();
  const auto x = data::normal<double>(5, 4, 3);
  Matrix<double> logits = Matrix<double>::Constant(5, 3, 7);
  CHECK_THROWS_WITH(context.score(x, logits),
                    "plait::ScoringContext: x: got [5, 1, 4], expected [5, 1, 5]");
  const auto good = data::normal<double>(5, 5, 3);
  Matrix<double> narrow = Matrix<double>::Constant(5, 2, 7);
  CHECK_THROWS_WITH(context.score(good, narrow),
                    "plait::ScoringContext: logits: got [5, 1, 2], expected [5, 1, 3]");
  CHECK((logits.array() == 7).all());
  CHECK((narrow.array() == 7).all());
  CHECK_THROWS_AS(scorer.context(0), ConfigError);
}
