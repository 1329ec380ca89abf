// Lookups, gradients, rules and clipping against tests/fixtures/H_embeddings.json. Every case is
// run with its columns repeated too, which changes no number of it and reaches whole packets.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "plait/architectures/single_task.hpp"
#include "plait/embeddings.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/ftrl.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"
#include "sparse/batches.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"

using namespace plait;

namespace {

using fixtures::Json;
using sparse_test::Bags;
using sparse_test::Batch;

constexpr std::array<Index, 5> repeats{1, 2, 5, 11, 47};  // of three columns

// To 1e-12 in double, in float 1e-6 of the number, or of 1 for those that are smaller.
template <class Scalar>
bool is_close(Scalar got, double expected) {
  const double allowed = sizeof(Scalar) == sizeof(double) ? 1e-12 : 1e-6;
  return std::abs(static_cast<double>(got) - expected) <=
         allowed * std::max(1.0, std::abs(expected));
}

// json [rows, 3], and numbers [rows, 3 * repeat].
template <class Scalar>
void check_close(const std::string& what, std::span<const Scalar> got, const Json& json,
                 Index repeat) {
  const auto dim = static_cast<std::size_t>(3 * repeat);
  REQUIRE(got.size() == json.size() * dim);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double expected = json.at(i / dim).at(i % dim % 3).get<double>();
    INFO(what << " of row " << i / dim << ", column " << i % dim << ": got " << got[i]
              << ", expected " << expected);
    CHECK(is_close(got[i], expected));
  }
}

template <class Scalar>
std::vector<Scalar> repeated(const Json& json, Index repeat) {
  std::vector<Scalar> numbers;
  for (const Json& row : json)
    for (Index k = 0; k < repeat; ++k)
      for (const Json& number : row) numbers.push_back(number.get<Scalar>());
  return numbers;
}

// A bag's example as it is where its weights are floats, which weights of ids are: y and the
// gradient are linear in them.
Json with_float_weights(Json json) {
  if (!json.contains("weights")) return json;
  const auto offsets = json.at("offsets").get<std::vector<std::size_t>>();
  for (std::size_t row = 0; row + 1 < offsets.size(); ++row)
    for (std::size_t i = offsets[row]; i < offsets[row + 1]; ++i) {
      const auto weight = json.at("weights").at(i).get<double>();
      const double change = static_cast<double>(static_cast<float>(weight)) - weight;
      const auto id = json.at("ids").at(i).get<std::size_t>();
      const auto add = [&](Json& to, const Json& from) {
        for (std::size_t k = 0; k < to.size(); ++k)
          to[k] = to[k].get<double>() + change * from.at(k).get<double>();
      };
      add(json.at("y").at(row), json.at("weight").at(id));
      add(json.at("weight_grad").at(id), json.at("d_y").at(row));
    }
  return json;
}

template <class Scalar>
Batch<Scalar> batch_of(const Json& json) {
  std::vector<Bags> bags(1);
  bags[0].ids = json.at("ids").get<std::vector<std::uint64_t>>();
  bags[0].offsets = json.at("offsets").get<std::vector<std::int64_t>>();
  if (json.contains("weights")) bags[0].weights = json.at("weights").get<std::vector<float>>();
  return {static_cast<Index>(bags[0].offsets.size()) - 1, std::move(bags)};
}

// One table "t" that starts as json says.
template <class Scalar>
EmbeddingTables<Scalar> tables_of(const Json& weight, Index repeat, Pooling pooling = Pooling::sum,
                                  bool weighted = false) {
  auto tables = EmbeddingTables<Scalar>::zeros(
      {.tables = {{.name = "t", .rows = static_cast<Index>(weight.size()), .dim = 3 * repeat}},
       .features = {{.name = "t", .pooling = pooling, .weighted = weighted}}});
  std::ranges::copy(repeated<Scalar>(weight, repeat), tables.values(0).begin());
  return tables;
}

// One step with this gradient of the pooled vectors.
template <class Scalar>
void step(TableOptimizer<Scalar>& rows, const Batch<Scalar>& batch, const Json& d_y, Index repeat,
          Index number) {
  const auto gradient = rows.gradient(batch.rows());
  std::ranges::copy(repeated<Scalar>(d_y, repeat), gradient.data());
  REQUIRE(std::isfinite(rows.finish_rows(batch, gradient)));
  const std::array<Index, 1> lane_ends{batch.rows()};
  rows.collect(batch, lane_ends, nullptr);
  REQUIRE(rows.move({.number = number}, nullptr));
}

// Every step of one result.
template <class Scalar, class R>
void check_rule(const std::string& name, const R& rule, const std::vector<std::string>& states) {
  const Json json = fixtures::load("H_embeddings").at("rules");
  const auto& results = json.at("results");
  const auto found = std::ranges::find_if(
      results, [&](const Json& result) { return result.at("name").get<std::string>() == name; });
  REQUIRE(found != results.end());
  const Json& weight = json.at("weight");
  for (const Index repeat : repeats) {
    INFO(name << ", columns times " << repeat);
    auto tables = tables_of<Scalar>(weight, repeat);
    TableOptimizer<Scalar> rows(tables, rule);
    const std::vector<Scalar> start(tables.values(0).begin(), tables.values(0).end());
    std::vector<bool> touched(weight.size(), false);
    for (std::size_t k = 0; k < 3; ++k) {
      const Json& inputs = json.at("steps").at(k);
      const auto batch = batch_of<Scalar>(inputs);
      step(rows, batch, inputs.at("d_y"), repeat, static_cast<Index>(k) + 1);
      check_close<Scalar>("values", tables.values(0), found->at("weight_after_step_1_2_3").at(k),
                          repeat);
      for (const std::uint64_t id : batch.bags()[0].ids) touched[id] = true;
      const auto dim = static_cast<std::size_t>(3 * repeat);
      for (std::size_t r = 0; r < touched.size(); ++r)
        if (!touched[r])
          CHECK(std::ranges::equal(tables.values(0).subspan(r * dim, dim),
                                   std::span(start).subspan(r * dim, dim)));
    }
    const auto dim = static_cast<std::size_t>(3 * repeat);
    const auto size = static_cast<std::size_t>(rows.state_size(0));
    for (std::size_t r = 0; r < touched.size(); ++r) {
      std::size_t at = r * size;
      for (const std::string& state : states) {
        const Json& expected = found->at("state_after_step_3").at(state).at(r);
        const std::size_t count = expected.is_array() ? dim : 1;
        for (std::size_t d = 0; d < count; ++d, ++at) {
          const Json& of_number = expected.is_array() ? expected.at(d % 3) : expected;
          INFO(state << " of row " << r << ", number " << d);
          // A row that was never touched has no z yet: FTRL makes it of the values.
          CHECK(is_close(rows.state(0)[at],
                         state == "z" && !touched[r] ? 0 : of_number.get<double>()));
        }
      }
      CHECK(at == (r + 1) * size);
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("bags are pooled, and their gradients summed by row, as in PyTorch", "", float,
                   double) {
  const Json cases = fixtures::load("H_embeddings").at("bags");
  REQUIRE(!cases.empty());
  for (const Json& given : cases) {
    const Json json = with_float_weights(given);
    for (const Index repeat : repeats) {
      INFO(json.at("name") << ", columns times " << repeat);
      const auto batch = batch_of<TestType>(json);
      auto tables = tables_of<TestType>(json.at("weight"), repeat,
                                        json.at("mode") == "mean" ? Pooling::mean : Pooling::sum,
                                        json.contains("weights"));
      tables.check(batch);
      Tensor<TestType> x(batch.rows(), 1, tables.width());
      tables.lookup(batch, x);
      check_close<TestType>("pooled",
                            {x.view().data(), static_cast<std::size_t>(batch.rows() * x.dim())},
                            json.at("y"), repeat);

      // From rows of zeros, one step at rate 1 leaves the gradient with its sign changed.
      std::ranges::fill(tables.values(0), TestType(0));
      TableOptimizer<TestType> rows(tables, SGD{.learning_rate = 1});
      step(rows, batch, json.at("d_y"), repeat, 1);
      for (TestType& number : tables.values(0)) number = -number;
      check_close<TestType>("gradient", tables.values(0), json.at("weight_grad"), repeat);
    }
  }
}

TEMPLATE_TEST_CASE("dense rules move rows by the worked steps", "", float, double) {
  check_rule<TestType>("O01_sgd", SGD{.learning_rate = 0.1}, {});
  check_rule<TestType>("O02_adagrad", Adagrad{.learning_rate = 0.1, .epsilon = 1e-10}, {"sum"});
  check_rule<TestType>("O03_adagrad_init_decay",
                       Adagrad{.learning_rate = 0.1,
                               .learning_rate_decay = 0.1,
                               .initial_accumulator = 0.1,
                               .epsilon = 1e-10},
                       {"sum"});
  check_rule<TestType>("O12_ftrl", FTRL{.learning_rate = 0.1, .beta = 1}, {"z", "n"});
  check_rule<TestType>("O13_ftrl_l1_l2",
                       FTRL{.learning_rate = 0.1, .beta = 1, .l1 = 0.5, .l2 = 0.1}, {"z", "n"});
}

TEMPLATE_TEST_CASE("rules for rows alone take the worked steps", "", float, double) {
  check_rule<TestType>("O04_lazy_adam", LazyAdam{.learning_rate = 0.01}, {"exp_avg", "exp_avg_sq"});
  check_rule<TestType>("O06_rowwise_adagrad", RowwiseAdagrad{.learning_rate = 0.1}, {"momentum1"});
  check_rule<TestType>("O07_rowwise_adagrad_l2",
                       RowwiseAdagrad{.learning_rate = 0.1, .weight_decay = 0.1}, {"momentum1"});
  check_rule<TestType>(
      "O08_rowwise_adagrad_decoupled",
      RowwiseAdagrad{.learning_rate = 0.1, .weight_decay = 0.1, .decay = RowDecay::decoupled},
      {"momentum1"});
  check_rule<TestType>("O09_rowwise_adam", RowwiseAdam{.learning_rate = 0.01},
                       {"momentum1", "momentum2"});
  check_rule<TestType>("O10_rowwise_adam_decay",
                       RowwiseAdam{.learning_rate = 0.01, .weight_decay = 0.1},
                       {"momentum1", "momentum2"});
}

TEST_CASE("a rule says what it keeps of a row, and starts with it") {
  auto tables = tables_of<float>(fixtures::load("H_embeddings").at("rules").at("weight"), 1);
  const auto state = [&](const RowRule<float>& rule) {
    TableOptimizer<float> rows(tables, rule);
    CHECK(rows.state(0).size() == static_cast<std::size_t>(rows.state_size(0)) * 6);
    return std::vector<float>(rows.state(0).begin(), rows.state(0).begin() + rows.state_size(0));
  };
  CHECK(state(SGD{}).empty());
  CHECK(state(Adagrad{.initial_accumulator = 0.25}) == std::vector<float>(3, 0.25f));
  CHECK(state(RowwiseAdagrad{.initial_accumulator = 0.5}) == std::vector<float>{0.5f});
  CHECK(state(RowwiseAdam{}) == std::vector<float>(4, 0.0f));
  CHECK(state(LazyAdam{}) == std::vector<float>(6, 0.0f));
  CHECK(state(FTRL{}) == std::vector<float>(6, 0.0f));
}

TEST_CASE("clipping is by the norm of the network's gradient and the summed rows together") {
  const Json json = fixtures::load("H_embeddings").at("clip");
  auto tables = tables_of<double>(json.at("weight"), 1);
  const auto batch = batch_of<double>(json);
  Model<double> model(SingleTask{.input_dim = 3, .num_tasks = 1}, {}, 1);
  REQUIRE(model.table().entries().size() == 2);
  const std::string weight = model.table().entries()[0].name;
  const std::string bias = model.table().entries()[1].name;
  for (std::size_t d = 0; d < 3; ++d)
    model.values_of(weight)[d] = json.at("V").at(0).at(d).get<double>();
  std::ranges::fill(model.values_of(bias), 0.0);

  // Half the mean square of two rows has the gradient score - label.
  Tensor<double> x(2, 1, 3);
  tables.lookup(batch, x);
  Matrix<double> labels(2, 1);
  for (Index b = 0; b < 2; ++b) {
    labels(b, 0) = -json.at("d_score").at(static_cast<std::size_t>(b)).at(0).get<double>();
    for (Index d = 0; d < 3; ++d)
      labels(b, 0) += x.view()(b, 0, d) * model.values_of(weight)[static_cast<std::size_t>(d)];
  }
  TableOptimizer<double> rows(tables, SGD{.learning_rate = 1});
  Trainer<double> trainer(model, rows, {{.kind = HeadKind::regression}}, SGD{.learning_rate = 1},
                          {.optimizer = {.groups = {{.pattern = bias, .frozen = true}},
                                         .clip_norm = json.at("clip_norm").get<double>()}});
  const std::vector<double> before(model.values_of(weight).begin(), model.values_of(weight).end());
  trainer.compute_gradient(batch.view(), {labels});
  const double rows_squared = rows.squared_norm(nullptr);
  double squared = rows_squared;
  for (const double g : trainer.gradient().of(weight)) squared += g * g;
  CHECK(std::abs(std::sqrt(squared) - json.at("norm").get<double>()) < 1e-12);

  const std::vector<double> start(tables.values(0).begin(), tables.values(0).end());
  trainer.apply(trainer.gradient());
  for (std::size_t i = 0; i < start.size(); ++i)
    CHECK(std::abs(start[i] - tables.values(0)[i] -
                   json.at("weight_grad_after").at(i / 3).at(i % 3).get<double>()) < 1e-12);
  for (std::size_t d = 0; d < 3; ++d)
    CHECK(std::abs(before[d] - model.values_of(weight)[d] -
                   json.at("V_grad_after").at(0).at(d).get<double>()) < 1e-12);
}
