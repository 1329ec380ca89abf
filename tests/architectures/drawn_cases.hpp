// Trunks whose connections are drawn, and a check of a drawn choice; for the tests and the mutation
// test.
#pragma once
#include <cstddef>
#include <utility>
#include <vector>

#include "plait/architectures/learning_to_branch.hpp"
#include "plait/architectures/snr.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/core/network.hpp"
#include "plait/core/random.hpp"
#include "plait/fusion/branch_choice.hpp"
#include "plait/model/trunk.hpp"
#include "plait/testing/build.hpp"
#include "plait/testing/gradcheck.hpp"

namespace drawn_cases {

inline plait::SNR snr(plait::SNRConnection connection, std::vector<plait::Index> levels = {4, 3}) {
  return {.input_dim = 5,
          .num_tasks = 2,
          .num_experts = 3,
          .levels = std::move(levels),
          .connection = connection};
}
inline plait::LearningToBranch branching(std::vector<plait::Index> levels = {4, 3}) {
  return {.input_dim = 5, .num_tasks = 2, .num_experts = 3, .levels = std::move(levels)};
}

// With logits that differ.
inline plait::testing::Built<plait::Network<double>> built_of(const plait::Trunk<double>& trunk) {
  auto built = plait::testing::build<double>(4, trunk);
  plait::Random random(9);
  for (double& value : built.theta.flat()) value += 0.3 * random.normal();
  return built;
}

// The gradient of Σ dz_j p_j, p the softmax that a choice was drawn by, against what the choice
// passes on.
inline plait::testing::GradientReport check_choice() {
  const plait::BranchChoice choice{.temperature = {.start = 0.8, .rate = 1}};
  std::vector<double> a{0.3, -0.4, 0.1, 0.6}, z(4), kept(5), da(4, 1.0);
  const std::vector<double> dz{0.7, -1.2, 0.4, 0.9};
  const auto weigh = [&](std::vector<double>& p) {
    choice.weigh(4, a.data(), {.seed = 1, .step = 2}, plait::CounterRandom(3), z.data(), p.data());
  };
  weigh(kept);
  choice.backward(4, kept.data(), dz.data(), da.data());
  for (double& value : da) value -= 1;  // what it was added to
  plait::testing::GradientCheck check;
  check.compare("logits", a, da, [&] {
    std::vector<double> p(5);
    weigh(p);
    double sum = 0;
    for (std::size_t j = 0; j < 4; ++j) sum += dz[j] * p[j];
    return sum;
  });
  return check.report();
}

}  // namespace drawn_cases
