// The order in which a row's gradients are added, by its definition (sparse/row_gradients.hpp):
// lanes, in a lane features, in a feature the batch, in a bag its ids; up to 64 of one lane in
// Scalar, and these sums in double. The numbers differ so much in size that another order has
// other bits.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "plait/optim/sgd.hpp"
#include "plait/sparse/embedding_tables.hpp"
#include "plait/sparse/table_optimizer.hpp"
#include "sparse/batches.hpp"

namespace sparse_test {

// What is wrong with the sums of random gradients, or nothing.
template <class Scalar>
std::string check_order(Index table_rows, Index dim, std::vector<Index> lane_ends,
                        std::uint64_t seed) {
  const Index rows = lane_ends.back();
  const plait::EmbeddingConfig config{.tables = {{.name = "t", .rows = table_rows, .dim = dim}},
                                      .features = {{.name = "t"},
                                                   {.name = "w", .table = "t", .weighted = true},
                                                   {.name = "u", .table = "t"}}};
  plait::Random random(seed);
  std::vector<Bags> bags{random_bags(rows, 3, table_rows, false, random),
                         random_bags(rows, 3, table_rows, true, random),
                         single_ids(rows, table_rows, random)};
  for (float& weight : bags[1].weights)  // whose products are exact
    weight = std::ldexp(random.below(2) == 0 ? 1.0f : -1.0f, static_cast<int>(random.below(5)) - 2);
  const Batch<Scalar> batch(rows, std::move(bags));

  auto tables = plait::EmbeddingTables<Scalar>::zeros(config);
  plait::TableOptimizer<Scalar> optimizer(tables, plait::SGD{.learning_rate = 1});
  const auto dx = optimizer.gradient(rows);
  for (Index i = 0; i < rows * dx.dim(); ++i)
    dx.data()[i] = static_cast<Scalar>(
        std::ldexp(random.symmetric(1), static_cast<int>(random.below(60)) - 30));

  struct Sum {
    std::vector<double> whole;
    std::vector<Scalar> run;
    Index in_run = 0;
    std::size_t lane = 0;
  };
  const auto size = static_cast<std::size_t>(dim);
  std::vector<Sum> sums(static_cast<std::size_t>(table_rows),
                        {std::vector<double>(size, 0.0), std::vector<Scalar>(size, Scalar(0))});
  const auto end_run = [&](Sum& sum) {
    for (std::size_t d = 0; d < size; ++d)
      sum.whole[d] += static_cast<double>(std::exchange(sum.run[d], Scalar(0)));
    sum.in_run = 0;
  };
  Index begin_row = 0;
  for (std::size_t lane = 0; lane < lane_ends.size(); begin_row = lane_ends[lane++])
    for (Index f = 0; f < 3; ++f) {
      const Bags& of_feature = batch.bags()[static_cast<std::size_t>(f)];
      for (Index b = begin_row; b < lane_ends[lane]; ++b) {
        auto i = static_cast<std::size_t>(b), end = i + 1;
        if (!of_feature.offsets.empty()) {
          end = static_cast<std::size_t>(of_feature.offsets[i + 1]);
          i = static_cast<std::size_t>(of_feature.offsets[i]);
        }
        for (; i < end; ++i) {
          Sum& sum = sums[of_feature.ids[i]];
          if (sum.in_run == 64 || (sum.in_run > 0 && sum.lane != lane)) end_run(sum);
          ++sum.in_run;
          sum.lane = lane;
          const Scalar weight =
              of_feature.weights.empty() ? Scalar(1) : static_cast<Scalar>(of_feature.weights[i]);
          for (std::size_t d = 0; d < size; ++d)
            sum.run[d] += weight * dx(b, 0, f * dim + static_cast<Index>(d));
        }
      }
    }
  double squares = 0;
  std::vector<Scalar> expected;
  for (Sum& sum : sums) {
    end_run(sum);
    for (const double number : sum.whole) {
      expected.push_back(static_cast<Scalar>(number));
      squares += std::pow(static_cast<double>(expected.back()), 2);
    }
  }
  if (!std::isfinite(optimizer.finish_rows(batch, dx))) return "gradients that are not finite";
  optimizer.collect(batch, lane_ends, nullptr);
  if (std::abs(optimizer.squared_norm(nullptr) / squares - 1) > 1e-12) return "the squared norm";
  if (!optimizer.move({}, nullptr)) return "rows that are not finite";
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (tables.values(0)[i] != -expected[i])
      return "the sum of row " + std::to_string(i / size) + ", number " + std::to_string(i % size);
  return "";
}

}  // namespace sparse_test
