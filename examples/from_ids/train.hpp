// One run: a model and its tables trained from one seed, tested as of their best epoch.
#pragma once
#include <cstdint>
#include <plait/embeddings.hpp>
#include <plait/plait.hpp>
#include <vector>

#include "dataset.hpp"
#include "models.hpp"

namespace from_ids {

struct Training {
  Index epochs = 6;
  Index batch = 512;
  plait::RowRule<float> row_rule =
      plait::Adagrad{.learning_rate = 0.05};  // the network: Adam, 1e-3
};

struct Run {
  std::vector<plait::MetricValue> test;  // the first metric of every task, of the best epoch
  double seconds_per_epoch = 0;          // of training alone
};

// The best epoch is that with the largest sum over tasks of the validation's AUC, minus the MSE.
Run train(const ModelEntry& entry, Sizes sizes, Dataset& data, const Training& training,
          std::uint64_t seed);

}  // namespace from_ids
