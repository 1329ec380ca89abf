// One row that every row of a large batch names: a float's last digit must not grow with them.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "plait/architectures/single_task.hpp"
#include "plait/embeddings.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"
#include "sparse/batches.hpp"
#include "support/catch.hpp"

using namespace plait;
using sparse_test::Bags;
using sparse_test::Batch;

namespace {

constexpr Index rows = 1'000'000;

// What one step at rate 1 takes from each row of the table, over all labels but one in a thousand.
template <class Scalar>
std::vector<Scalar> gradient(const std::vector<Bags>& bags, const EmbeddingConfig& config,
                             Index lanes) {
  auto tables = EmbeddingTables<Scalar>::zeros(config);
  Model<Scalar> model(SingleTask{.input_dim = tables.width(), .num_tasks = 1}, {}, 1);
  const auto weight = model.values_of(model.table().entries()[0].id);
  for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<Scalar>(1 + i % 3);
  TableOptimizer<Scalar> optimizer(tables, SGD{.learning_rate = 1});
  Trainer<Scalar> trainer(model, optimizer, std::vector<Head>(1), SGD{}, {.lanes = lanes});
  Matrix<Scalar> labels = Matrix<Scalar>::Zero(rows, 1);
  for (Index b = 0; b < rows; b += 1000) labels(b, 0) = 1;
  const Batch<Scalar> batch(rows, bags);
  trainer.step(batch.view(), labels);
  return {tables.values(0).begin(), tables.values(0).end()};
}

void check(const std::vector<Bags>& bags, const EmbeddingConfig& config) {
  for (const Index lanes : {1, 3}) {
    INFO(lanes << " lanes");
    const auto got = gradient<float>(bags, config, lanes);
    const auto exact = gradient<double>(bags, config, 1);
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO("number " << i << ": " << got[i] << ", " << exact[i]);
      CHECK(std::abs(static_cast<double>(got[i]) - exact[i]) <= 1e-5 * std::abs(exact[i]));
    }
  }
}

}  // namespace

TEST_CASE("the gradient of a row that a million rows name is exact to 1e-5") {
  const Bags ones{.ids = std::vector<std::uint64_t>(rows, 1)};
  check({ones}, {.tables = {{.name = "t", .rows = 3, .dim = 5}}, .features = {{.name = "t"}}});
}

TEST_CASE("so is one that is named with weights, by two features, and twice in a bag") {
  Bags weighted{.ids = std::vector<std::uint64_t>(rows, 1),
                .weights = std::vector<float>(rows, 0.7f)};
  Bags twice{.ids = std::vector<std::uint64_t>(2 * rows, 1)};
  for (Index b = 0; b <= rows; ++b) twice.offsets.push_back(2 * b);
  check({weighted, twice}, {.tables = {{.name = "t", .rows = 2, .dim = 3}},
                            .features = {{.name = "t", .weighted = true},
                                         {.name = "u", .table = "t", .pooling = Pooling::mean}}});
}
