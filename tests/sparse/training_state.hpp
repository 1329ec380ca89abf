// A small model that trains from ids, and all that a step may change, byte for byte.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "plait/architectures/mmoe.hpp"
#include "plait/embeddings.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"

namespace sparse_test {

inline std::string text_of(const plait::IdMap& ids) {
  std::vector<plait::IdMap::Record> records;
  ids.for_each([&](const plait::IdMap::Record& record) { records.push_back(record); });
  std::ranges::sort(records);
  std::string result;
  for (const auto& [id, row, count, age] : records)
    result += plait::text(id, ":", row, ",", count, ",", age, " ");
  return result;
}

template <class Scalar>
struct Training {
  plait::EmbeddingTables<Scalar> tables;
  plait::Model<Scalar> model;
  plait::TableOptimizer<Scalar> rows;
  plait::Trainer<Scalar> trainer;

  Training(const plait::EmbeddingConfig& config, const plait::RowRule<Scalar>& rule,
           const plait::TrainerOptions& options = {},
           const plait::Rule<Scalar>& network_rule = plait::Adam{.learning_rate = 0.01})
      : tables(config, 3),
        model(plait::MMoE{.input_dim = tables.width(),
                          .num_tasks = 2,
                          .num_experts = 2,
                          .expert = plait::Body{5}},
              {}, 1),
        rows(tables, rule),
        trainer(model, rows, std::vector<plait::Head>(2), network_rule, options) {}

  // Values, moments, rows, their state, what growing tables know of ids, and the step count.
  std::string state() const {
    std::string bytes;
    const auto add = [&](std::span<const Scalar> numbers) {
      bytes.append(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes());
    };
    add(model.values().flat());
    for (const auto& moment : trainer.optimizer().moments()) add(moment.flat());
    for (plait::Index t = 0; t < tables.num_tables(); ++t) {
      add(tables.values(t));
      add(rows.state(t));
      if (const plait::IdMap* ids = tables.ids(t)) bytes += text_of(*ids);
    }
    return bytes + plait::text(trainer.optimizer().steps());
  }
};

}  // namespace sparse_test
