// Scoring in bf16: what is computed, which weights it is computed with, and what it keeps of what
// scoring promises.
#include "plait/model/precision.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "plait/kernels/linear.hpp"
#include "plait/serve/scorer.hpp"
#include "serve/small_model.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;

namespace {

// Widths that are no whole packets, beside some that are.
const models::Sizes sizes{.input_dim = 37, .num_tasks = 3, .first = 64, .second = 33, .tower = 18};

const ScorerOptions in_bf16{.precision = Precision::bf16};

Matrix<float> score(const Model<float>& model, const Matrix<float>& x, ScorerOptions options,
                    Index tile_rows = 64) {
  const Scorer scorer(model, std::move(options));
  auto context = scorer.context(tile_rows);
  Matrix<float> logits(x.rows(), model.out_shape().dim);
  context.score(x, logits);
  return logits;
}

// The upper half of a float that is far from the ends of the range, to the nearest, ties to even.
float rounded(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return std::bit_cast<float>((bits + 0x7fffU + ((bits >> 16) & 1U)) & 0xffff0000U);
}
Matrix<float> rounded(const Matrix<float>& m) {
  return m.unaryExpr([](float x) { return rounded(x); });
}

// f(x Wᵀ + b), W and b being {name}.weight and {name}.bias.
Matrix<float> linear(const Model<float>& model, const std::string& name, const Matrix<float>& x,
                     bool reduced, Activation f) {
  const ParamView<float> values = model.values().view();
  const Matrix<float> weight = values.matrix(model.table().at(name + ".weight").id);
  const Matrix<float> w = reduced ? rounded(weight) : weight;
  const Matrix<float> input = reduced ? rounded(x) : x;
  Matrix<float> y(x.rows(), w.rows());
  kernels::linear<float>(View3<const float>(input.data(), input.rows(), 1, input.cols()),
                         {w.data(), w.rows(), w.cols(), Eigen::OuterStride<>(w.cols())},
                         values.data(model.table().at(name + ".bias").id),
                         View3<float>(y.data(), y.rows(), 1, y.cols()), f);
  return y;
}

}  // namespace

TEST_CASE("bf16: a model's products are those of rounded numbers, its last layers' are not") {
  const Model<float> model =
      models::make<float>(SharedBottom{.input_dim = 37, .num_tasks = 2, .expert = {64, 33}},
                          {.input_dim = 37, .num_tasks = 2, .tower = 18});
  const auto x = data::normal<float>(21, 37, 3);
  std::vector<std::string> names;  // of linear layers, in the order of the table
  for (const auto& entry : model.table().entries())
    if (entry.is_weight) names.push_back(entry.name.substr(0, entry.name.rfind('.')));
  REQUIRE(names.size() == 6);
  const auto expected = [&](bool first, bool others) {
    const auto relu = Activation::relu;
    const auto h = linear(model, names[0], x, first, relu);
    const auto shared = linear(model, names[1], h, others, relu);
    Matrix<float> logits(x.rows(), 2);
    for (Index t = 0; t < 2; ++t) {
      const std::size_t tower = 2 + 2 * static_cast<std::size_t>(t);
      const auto hidden = linear(model, names[tower], shared, others, relu);
      logits.col(t) = linear(model, names[tower + 1], hidden, false, Activation::identity);
    }
    return logits;
  };
  CHECK(score(model, x, {}) == expected(false, false));
  CHECK(score(model, x, in_bf16) == expected(true, true));
  CHECK(score(model, x, in_bf16) != expected(false, false));
  CHECK(score(model, x, {.precision = Precision::bf16, .keep = {names[0] + ".*"}}) ==
        expected(false, true));
  CHECK(score(model, x, {.precision = Precision::bf16, .keep = {"*.weight"}}) ==
        expected(false, false));
}

TEST_CASE("bf16: logits of every architecture are close, by row the same in any batch") {
  for (const auto& [name, trunk] : models::all_trunks<float>(sizes)) {
    INFO(name);
    const auto model = models::make(trunk, sizes);
    const auto x = data::normal<float>(50, sizes.input_dim, 3);
    const auto full = score(model, x, {});
    const auto reduced = score(model, x, in_bf16);
    CHECK((reduced - full).cwiseAbs().maxCoeff() < 0.02F);
    CHECK(reduced != full);
    CHECK(score(model, x, in_bf16, 7) == reduced);
    for (const Index row : {0, 13, 49})
      CHECK(score(model, x.middleRows(row, 1), in_bf16) == reduced.middleRows(row, 1));
  }
}

TEST_CASE("bf16: shared columns equal whole rows up to rounding") {
  for (const auto& [name, trunk] : models::all_trunks<float>(sizes)) {
    INFO(name);
    const auto model = models::make(trunk, sizes);
    auto x = data::normal<float>(37, sizes.input_dim, 3);
    const Index count = 11;
    x.leftCols(count).rowwise() = x.row(0).head(count).eval();
    std::vector<Index> shared(static_cast<std::size_t>(count));
    std::iota(shared.begin(), shared.end(), Index{0});
    const Scorer scorer(model, {.shared_inputs = shared, .precision = Precision::bf16});
    auto context = scorer.context();
    const Matrix<float> request = x.topLeftCorner(1, count);
    const Matrix<float> rows = x.rightCols(x.cols() - count);
    Matrix<float> logits(x.rows(), model.out_shape().dim);
    context.score(request, rows, logits);
    // A sum that is rounded otherwise may be the nearest bf16 of a neighbour in the next layer.
    CHECK((logits - score(model, x, in_bf16)).cwiseAbs().maxCoeff() < 5e-3F);
  }
}

TEST_CASE("bf16: new values are taken, and nothing is allocated while scoring") {
  const auto trunk = models::all_trunks<float>(sizes).back().trunk;
  const auto model = models::make(trunk, sizes, 1);
  const auto other = models::make(trunk, sizes, 2);
  const auto x = data::normal<float>(130, sizes.input_dim, 3);
  Scorer scorer(model, in_bf16);
  scorer.refresh(other.values());
  auto context = scorer.context();
  Matrix<float> logits(x.rows(), model.out_shape().dim);
  const std::size_t before = allocations::count();
  context.score(x, logits);
  CHECK(allocations::count() == before);
  CHECK(logits == score(other, x, in_bf16));
}

TEST_CASE("bf16: a row with NaN or infinity spoils its own logits only") {
  for (const auto& [name, trunk] : models::all_trunks<float>(sizes)) {
    INFO(name);
    const auto model = models::make(trunk, sizes);
    auto x = data::normal<float>(20, sizes.input_dim, 3);
    const auto good = score(model, x, in_bf16);
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      x(7, 5) = bad;
      auto logits = score(model, x, in_bf16);
      const bool saturates = std::isinf(bad) && name == Sluice::name;  // its tanh
      CHECK((saturates || !logits.row(7).allFinite()));
      logits.row(7) = good.row(7);
      CHECK(logits == good);
    }
  }
}

TEST_CASE("bf16: what cannot be reduced is refused") {
  CHECK_THROWS_WITH(Scorer(serve::small_model(), {.precision = Precision::bf16}),
                    "plait::Scorer: precision: got bf16 for a model of another scalar than float, "
                    "expected full");
  const auto model = models::make(models::all_trunks<float>(sizes).front().trunk, sizes);
  for (const auto precision : {Precision::full, Precision::bf16})
    CHECK_THROWS_WITH(Scorer(model, {.precision = precision, .keep = {"*", "tower"}}),
                      "plait::Scorer: keep: got 'tower', expected a pattern that matches a "
                      "weight");
}

TEST_CASE("bf16: gates' and towers' last layers are never reduced") {
  for (const auto& [name, trunk] : models::all_trunks<float>(sizes)) {
    INFO(name);
    const auto model = models::make(trunk, sizes);
    const auto reduced = reduced_weights<float>(model.table(), Precision::bf16, {});
    Index last = 0;
    Index others = 0;
    for (const auto& entry : model.table().entries()) {
      const auto i = static_cast<std::size_t>(entry.id.index);
      CHECK(reduced[i] == (entry.is_weight && !entry.is_last));
      if (entry.is_last) ++last;
      if (reduced[i]) ++others;
      if (entry.is_last) CHECK(entry.is_weight);
      if (entry.name.find("gate") != std::string::npos && entry.is_weight) CHECK(entry.is_last);
    }
    CHECK(last >= sizes.num_tasks);
    CHECK(others >= 2 + sizes.num_tasks);
  }
}
