// Scorer: the model's numbers from packed weights, and the columns of a request scored once.
#include "plait/serve/scorer.hpp"

#include <memory>
#include <numeric>

#include "serve/small_model.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/score.hpp"

using namespace plait;
using serve::sizes, serve::small_model;

namespace {

// The columns of x named by `columns`.
template <class Scalar>
Matrix<Scalar> take(const Matrix<Scalar>& x, const std::vector<Index>& columns) {
  Matrix<Scalar> result(x.rows(), std::ssize(columns));
  for (Index j = 0; j < result.cols(); ++j)
    result.col(j) = x.col(columns[static_cast<std::size_t>(j)]);
  return result;
}

std::vector<Index> rest_of(const std::vector<Index>& columns, Index count) {
  std::vector<Index> result;
  for (Index c = 0; c < count; ++c)
    if (std::find(columns.begin(), columns.end(), c) == columns.end()) result.push_back(c);
  return result;
}

// An expert that does not say how it reads its input.
template <class Scalar>
struct OpaqueExpert : MLP<Scalar> {
  using MLP<Scalar>::MLP;
  void visit_input_linears() const = delete;
};
struct Opaque : MLPConfig {
  using MLPConfig::MLPConfig;
  template <class S>
  using Layer = OpaqueExpert<S>;
};

}  // namespace

TEMPLATE_TEST_CASE("a scorer gives the model's logits bit for bit", "", float, double) {
  using Scalar = TestType;
  for (const auto& [name, trunk] : models::all_trunks<Scalar>(sizes)) {
    INFO(name);
    const auto model = models::make(trunk, sizes);
    const auto x = data::normal<Scalar>(50, sizes.input_dim, 3);
    const auto plain = models::forward(model, x);
    Matrix<Scalar> packed(50, sizes.num_tasks);
    const Scorer scorer(model);
    auto context = scorer.context(16);
    context.score(x, packed);
    CHECK(packed == plain);
  }
}

TEMPLATE_TEST_CASE("shared columns, any split, equal whole rows up to rounding", "", float,
                   double) {
  using Scalar = TestType;
  const double tolerance = sizeof(Scalar) == sizeof(float) ? 1e-5 : 1e-13;
  for (const auto& [name, trunk] : models::all_trunks<Scalar>(sizes)) {
    const auto model = models::make(trunk, sizes);
    auto x = data::normal<Scalar>(37, sizes.input_dim, 3);
    for (const std::vector<Index>& shared :
         {std::vector<Index>{0}, {4}, {3, 1}, {0, 1, 2}, {4, 0, 2, 1}}) {
      INFO(name << ", " << shared.size() << " shared from " << shared[0]);
      for (const Index c : shared) x.col(c).setConstant(x(0, c));
      const Scorer scorer(model, {.shared_inputs = shared});
      auto context = scorer.context(16);
      Matrix<Scalar> whole(37, sizes.num_tasks), split(37, sizes.num_tasks);
      context.score(x, whole);
      const Matrix<Scalar> of_request = take<Scalar>(x.topRows(1), shared);
      const auto rows = take(x, rest_of(shared, sizes.input_dim));
      context.score(of_request, rows, split);
      CHECK((split - whole).norm() <= tolerance * whole.norm());
      // Another request in the same context, then the first again.
      Matrix<Scalar> again(37, sizes.num_tasks);
      const Matrix<Scalar> other = 2 * of_request;
      context.score(other, rows, again);
      CHECK(again != split);
      context.score(of_request, rows, again);
      CHECK(again == split);
      const Matrix<Scalar> none(0, rows.cols());
      Matrix<Scalar> nothing(0, sizes.num_tasks);
      context.score(of_request, none, nothing);
    }
  }
}

TEST_CASE("gates that read the input at every level are split too") {
  const auto model = models::make<double>(MLMMoE{.input_dim = sizes.input_dim,
                                                 .num_tasks = sizes.num_tasks,
                                                 .num_experts = 3,
                                                 .levels = {{6}, {5}},
                                                 .gates = {{.body = {4}}, {.body = {}}}},
                                          sizes);
  auto x = data::normal<double>(9, sizes.input_dim, 5);
  x.col(2).setConstant(0.5);
  const Scorer scorer(model, {.shared_inputs = {2}});
  auto context = scorer.context();
  Matrix<double> whole(9, sizes.num_tasks), split(9, sizes.num_tasks);
  context.score(x, whole);
  const Matrix<double> shared = Matrix<double>::Constant(1, 1, 0.5);
  const auto rows = take(x, rest_of({2}, sizes.input_dim));
  context.score(shared, rows, split);
  CHECK((split - whole).norm() <= 1e-13 * whole.norm());
}

TEST_CASE("columns that cannot be shared are refused") {
  const auto build = [](std::vector<Index> shared) {
    const Scorer scorer(small_model(), {.shared_inputs = std::move(shared)});
  };
  CHECK_THROWS_WITH(
      build({1, 5}),
      "plait::Scorer: shared_inputs: got column 5, expected columns below 5, each once");
  CHECK_THROWS_AS(build({-1}), ConfigError);
  CHECK_THROWS_AS(build({1, 1}), ConfigError);
  CHECK_THROWS_WITH(build({0, 1, 2, 3, 4}),
                    "plait::Scorer: shared_inputs: got 5 of 5 columns, expected some, but not all");

  const auto slots = models::make<double>(
      PLE{.input_dim = 5, .num_tasks = 3, .levels = sizes.levels(), .separate_inputs = true},
      sizes);
  CHECK_THROWS_AS(Scorer(slots, {.shared_inputs = {1}}), ConfigError);
  const auto opaque = models::make<double>(
      SharedBottom{.input_dim = 5, .num_tasks = 3, .expert = Opaque{4}}, sizes);
  CHECK_THROWS_WITH(Scorer(opaque, {.shared_inputs = {1}}),
                    "plait::Scorer: shared_inputs: got a layer that reads the input otherwise, "
                    "expected layers that read it through linear layers");
  const auto identity =
      models::make<double>(SharedBottom{.input_dim = 5, .num_tasks = 3, .expert = {}}, sizes);
  CHECK_THROWS_AS(Scorer(identity, {.shared_inputs = {1}}), ConfigError);
}

TEST_CASE("a request's parts are checked and leave the output alone") {
  const Scorer scorer(small_model(), {.shared_inputs = {0, 1}});
  auto context = scorer.context();
  const auto shared = data::normal<double>(1, 2, 1);
  const auto rows = data::normal<double>(4, 3, 2);
  Matrix<double> logits = Matrix<double>::Constant(4, 3, 7);
  CHECK_THROWS_WITH(context.score(rows.topRows(1), rows, logits),
                    "plait::ScoringContext: shared: got [1, 1, 3], expected [1, 1, 2]");
  CHECK_THROWS_WITH(context.score(shared, data::normal<double>(4, 5, 2), logits),
                    "plait::ScoringContext: rows: got [4, 1, 5], expected [4, 1, 3]");
  CHECK_THROWS_AS(context.score(shared, rows.topRows(3), logits), ShapeError);
  CHECK((logits.array() == 7).all());
  const Scorer plain(small_model());
  auto without = plain.context();
  CHECK_THROWS_AS(without.score(shared, rows, logits), ConfigError);
}

using Small = Scorer<double>;
static_assert(!std::is_copy_constructible_v<Small> && !std::is_move_constructible_v<Small>);

TEST_CASE("contexts move with what they hold") {
  const auto scorer = std::make_unique<const Small>(small_model(), ScorerOptions{{0, 1}});
  const auto shared = data::normal<double>(1, 2, 1);
  const auto rows = data::normal<double>(4, 3, 2);
  Matrix<double> before(4, 3), after(4, 3);
  auto context = scorer->context();
  context.score(shared, rows, before);
  auto moved = std::move(context);
  moved.score(shared, rows, after);
  CHECK(after == before);
}
