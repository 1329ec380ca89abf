// Trunks whose connections are drawn, and a check of a drawn choice; for the tests and the mutation
// test.
#pragma once
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "plait/architectures/ada_share.hpp"
#include "plait/architectures/ada_share_layer.hpp"
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
inline plait::AdaShare sharing(plait::Body stem = {4}, std::vector<plait::Index> blocks = {3, 2},
                               plait::Index tasks = 2) {
  return {.input_dim = 5, .num_tasks = tasks, .stem = std::move(stem), .blocks = std::move(blocks)};
}

// With logits that differ.
inline plait::testing::Built<plait::Network<double>> built_of(const plait::Trunk<double>& trunk) {
  auto built = plait::testing::build<double>(4, trunk);
  plait::Random random(9);
  for (double& value : built.theta.flat()) value += 0.3 * random.normal();
  return built;
}

// Whether each of three tasks, on blocks {3, 2}, has the output of an AdaShare of its own that
// executes the same blocks.
inline bool tasks_are_as_alone(const plait::testing::Built<plait::Network<double>>& built) {
  using namespace plait;
  const auto x = built.input(4);
  Scratch scratch;
  Tensor<double> y(4, 3, 4), alone(4, 1, 4);
  built.layer.forward(built.theta.view(), x.view(), y.view(), nullptr, scratch);
  for (Index t = 0; t < 3; ++t) {
    auto one = testing::build<double>(1, Trunk<double>(sharing({4}, {3, 2}, 1)));
    for (const ParamEntry& entry : one.theta.table().entries()) {
      const auto from =
          built.theta.of(entry.name.starts_with("policies") ? text("policies.", t) : entry.name);
      std::copy(from.begin(), from.end(), one.theta.of(entry.id).begin());
    }
    one.layer.forward(one.theta.view(), x.view(), alone.view(), nullptr, scratch);
    if (y.view().slot(t).of_slot(0) != alone.view().of_slot(0)) return false;
  }
  return true;
}

// Whether every task of an AdaShare learns from each of its decisions, also from those that are as
// another task's: of one whose decisions are hard, in some steps.
inline bool all_policies_learn() {
  plait::AdaShare description = sharing({4}, {3, 2}, 3);
  description.policy.hard = true;
  const auto built = built_of(description);
  const auto x = built.input(8), dy = built.output(8);
  for (plait::Index step = 0; step < 6; ++step) {
    plait::Tensor<double> y(8, 3, 4), dx(8, 1, 5);
    plait::Network<double>::Workspace workspace;
    plait::ParamBuffer<double> grad(built.theta.shared_table());
    plait::Scratch scratch;
    built.layer.forward(built.theta.view(), x.view(), y.view(), &workspace, scratch,
                        {.draws = {.seed = 3, .step = step}});
    built.layer.backward(built.theta.view(), x.view(), y.view(), dy.view(), dx.view(), workspace,
                         grad.grad(), scratch);
    for (int t = 0; t < 3; ++t)
      for (const double g : grad.of(plait::text("policies.", t)))
        if (g == 0) return false;
  }
  return true;
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
