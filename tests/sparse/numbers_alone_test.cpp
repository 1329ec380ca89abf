// Descriptions without tables: numbers of two sides. They train and score as rows of numbers do.
#include <algorithm>
#include <memory>
#include <vector>

#include "plait/architectures/mmoe.hpp"
#include "plait/core/parallel.hpp"
#include "plait/embeddings.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

namespace {

using plait::Index;
using plait::Side;

const plait::EmbeddingConfig config{.dense = {Side::item, Side::user, Side::item}};

plait::Model<float> make_model() {
  return {plait::MMoE{.input_dim = 3, .num_tasks = 2, .num_experts = 2, .expert = {4}}, {}, 1};
}

plait::FeatureBatch<float> batch_of(const plait::Matrix<float>& numbers) {
  return {plait::SparseBatch(numbers.rows(), {}),
          plait::View3<const float>(numbers.data(), numbers.rows(), 1, numbers.cols())};
}

}  // namespace

TEST_CASE("numbers alone train to the bits of rows of numbers") {
  plait::ThreadPool pool(2);
  const plait::TrainerOptions how{.optimizer = {.clip_norm = 0.5}, .executor = &pool};
  const std::vector<plait::Head> heads(2);
  plait::Model<float> model = make_model(), dense = make_model();
  plait::EmbeddingTables<float> tables(config, 7);
  plait::TableOptimizer<float> rows(tables, plait::RowwiseAdagrad{});
  plait::Trainer<float> trainer(model, rows, heads, plait::Adam{}, how);
  plait::Trainer<float> of_rows(dense, heads, plait::Adam{}, how);
  for (std::uint64_t step = 0; step < 5; ++step) {
    const plait::Matrix<float> x = data::normal<float>(20, 3, step);
    const plait::Matrix<float> labels = data::binary<float>(20, 2, step + 10);
    CHECK(trainer.step(batch_of(x), labels) == of_rows.step(x, labels));
  }
  CHECK(std::ranges::equal(model.values().flat(), dense.values().flat()));
}

TEST_CASE("numbers alone are scored as rows of numbers are, the user's once") {
  const plait::Model<float> model = make_model();
  const auto tables = std::make_shared<plait::EmbeddingTables<float>>(config, 7);
  const plait::EmbeddingScorer<float> scorer(model, plait::ServingTables<float>(tables));
  const plait::Scorer<float> dense(model, {.shared_inputs = {1}});
  const plait::Matrix<float> whole = data::normal<float>(70, 3, 5);
  const plait::Matrix<float> user = data::normal<float>(1, 1, 6),
                             own = data::normal<float>(70, 2, 7);
  plait::Matrix<float> logits(70, 2), expected(70, 2);
  auto context = scorer.context();
  context.score(batch_of(whole), logits);
  dense.context().score(whole, expected);
  CHECK((logits.array() == expected.array()).all());
  context.score(batch_of(user), batch_of(own), logits);
  dense.context().score(user, own, expected);
  CHECK((logits.array() == expected.array()).all());
}
