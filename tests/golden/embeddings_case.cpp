#include "golden/embeddings_case.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "golden/reference_config.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/embeddings.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"

namespace golden {
namespace {

template <class Scalar>
plait::RowRule<Scalar> row_rule(const Json& json) {
  const std::string name = json.at("name");
  const double rate = json.at("lr");
  if (name == "sgd") return plait::SGD{.learning_rate = rate};
  if (name == "sparse_adam") return plait::LazyAdam{.learning_rate = rate};
  if (name == "adagrad")
    return plait::Adagrad{.learning_rate = rate,
                          .learning_rate_decay = json.at("lr_decay"),
                          .initial_accumulator = json.at("initial_accumulator_value")};
  throw std::runtime_error("no rule " + name);
}

plait::EmbeddingConfig config(const Json& tables, const Json& features, Index num_dense) {
  plait::EmbeddingConfig result;
  for (const Json& table : tables)
    result.tables.push_back(
        {.name = table.at("name"), .rows = table.at("rows"), .dim = table.at("dim")});
  for (const Json& feature : features)
    result.features.push_back(
        {.name = feature.at("name"),
         .table = feature.at("table"),
         .pooling = feature.at("mode") == "mean" ? plait::Pooling::mean : plait::Pooling::sum,
         .weighted = feature.at("weighted")});
  result.dense.assign(static_cast<std::size_t>(num_dense), plait::Side::item);
  return result;
}

// The bags of one feature in every step.
struct Bags {
  std::vector<std::uint64_t> ids;
  std::vector<std::int64_t> offsets;
  std::vector<float> weights;

  plait::SparseFeature of_step(Index step, Index batch) const {
    const auto ends = static_cast<std::size_t>(batch) + 1;
    std::size_t first = 0;
    for (Index s = 1; s <= step; ++s)
      first += static_cast<std::size_t>(offsets[static_cast<std::size_t>(s) * ends - 1]);
    const auto own = std::span(offsets).subspan(static_cast<std::size_t>(step) * ends, ends);
    const auto count = static_cast<std::size_t>(own.back());
    return {std::span(ids).subspan(first, count), own,
            weights.empty() ? std::span<const float>() : std::span(weights).subspan(first, count)};
  }
};

template <class T, class Scalar>
std::vector<T> converted(const Case<Scalar>& file, const std::string& name) {
  auto tensor = file.tensor(name);
  std::vector<T> result;
  for (const Scalar number : Case<Scalar>::numbers(tensor))
    result.push_back(static_cast<T>(number));
  return result;
}

}  // namespace

template <class Scalar>
void check_embeddings(const Case<Scalar>& file) {
  const Index steps = file.json("steps");
  const Index batch = file.json("batch");
  auto tables = plait::EmbeddingTables<Scalar>::zeros(
      config(file.json("tables"), file.json("features"), file.json("num_dense")));
  std::vector<Bags> bags;
  for (const plait::FeatureConfig& feature : tables.config().features) {
    bags.push_back({converted<std::uint64_t>(file, "ids." + feature.name),
                    converted<std::int64_t>(file, "offsets." + feature.name),
                    {}});
    if (feature.weighted) bags.back().weights = converted<float>(file, "weights." + feature.name);
  }
  const auto table = [&](const std::string& prefix, Index t) {
    return converted<Scalar>(file,
                             prefix + tables.config().tables[static_cast<std::size_t>(t)].name);
  };
  for (Index t = 0; t < tables.num_tables(); ++t)
    std::ranges::copy(table("table.", t), tables.values(t).begin());

  plait::Model<Scalar> model(
      plait::SharedBottom{
          .input_dim = tables.width(),
          .num_tasks = file.json("num_task"),
          .expert = plait::Body(file.json("expert_out_dims").template get<Widths>())},
      {.hidden = {plait::Body(file.json("task_mlp").template get<Widths>())}}, 1);
  model.load(file.parameters(model.values(), "param."));
  REQUIRE(file.json("optimizer").at("name") == "adam");
  plait::TableOptimizer<Scalar> rows(tables, row_rule<Scalar>(file.json("row_rule")));
  plait::Trainer<Scalar> trainer(
      model, rows, std::vector<plait::Head>(static_cast<std::size_t>(model.num_tasks())),
      plait::Adam{.learning_rate = file.json("optimizer").at("lr")});

  auto x = file.tensor("x");
  auto labels = file.tensor("labels");
  auto mask = file.tensor("mask");
  // [steps, B, n], the rows of one step.
  const auto of_step = [&](plait::Tensor<Scalar>& tensor, Index step) {
    return plait::View3<const Scalar>(tensor.view().row(step), batch, 1, tensor.dim());
  };
  std::vector<Scalar> losses;
  for (Index step = 0; step < steps; ++step) {
    std::vector<plait::SparseFeature> features;
    for (const Bags& of_feature : bags) features.push_back(of_feature.of_step(step, batch));
    const plait::FeatureBatch<Scalar> input{plait::SparseBatch(batch, features), of_step(x, step)};
    if (step == 0) {
      auto logits = file.tensor("logits");
      plait::Tensor<Scalar> got(batch, 1, logits.dim());
      trainer.score(input, got.view());
      check_output("logits", got, logits);
    }
    losses.push_back(
        static_cast<Scalar>(trainer.step(input, of_step(labels, step), of_step(mask, step))));
  }
  auto expected = file.tensor("losses");
  check_close<Scalar>("losses", losses, Case<Scalar>::numbers(expected),
                      Tolerance<Scalar>::training);
  const auto network = file.parameters(model.values(), "final.");
  for (const auto& entry : model.table().entries())
    check_close<Scalar>("final " + entry.name, model.values().of(entry.id), network.of(entry.id),
                        Tolerance<Scalar>::training);
  for (Index t = 0; t < tables.num_tables(); ++t)
    check_close<Scalar>("final table " + tables.config().tables[static_cast<std::size_t>(t)].name,
                        tables.values(t), table("final_table.", t), Tolerance<Scalar>::training);
}

template void check_embeddings(const Case<float>&);
template void check_embeddings(const Case<double>&);

}  // namespace golden
