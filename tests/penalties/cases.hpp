// Every penalty on parameters that it is made for, and its gradient against differences; for the
// tests and the mutation test.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/param_buffer.hpp"
#include "plait/core/param_table.hpp"
#include "plait/core/random.hpp"
#include "plait/penalties/ada_share_penalty.hpp"
#include "plait/penalties/l0.hpp"
#include "plait/penalties/norms.hpp"
#include "plait/penalties/orthogonal_subspaces.hpp"
#include "plait/penalties/penalties.hpp"
#include "plait/penalties/static_choice.hpp"
#include "plait/penalties/tensor_normal.hpp"
#include "plait/testing/gradcheck.hpp"

namespace penalty_cases {

inline std::shared_ptr<const plait::ParamTable> table() {
  const auto start = plait::Init::uniform(0.4);
  auto result = std::make_shared<plait::ParamTable>();
  result->add_matrix("trunk.experts.0.weight", 6, 4, start);
  result->add_matrix("trunk.experts.1.weight", 3, 5, start);
  result->add_matrix("trunk.log_alphas.1", 2, 3, start);
  for (int t = 0; t < 3; ++t)
    result->add_matrix("trunk.policies." + std::to_string(t), 3, 2, start);
  for (int g = 0; g < 2; ++g)
    result->add_matrix("trunk.gates." + std::to_string(g) + ".z", 2, 3, start);
  for (int t = 0; t < 3; ++t)
    result->add_matrix("towers." + std::to_string(t) + ".weight", 2, 4, start);
  return result;
}

inline std::vector<plait::NamedPenalty> all() {
  using namespace plait;
  return {{"l1", L1{.weight = 0.3, .parameters = "*experts.*"}},
          {"l2", L2{.weight = 0.7}},
          {"l0", L0{.weight = 0.2, .gates = {.beta = 0.5, .gamma = -0.2, .zeta = 1.3}}},
          {"policies", AdaSharePenalty{.sparsity = 0.4, .sharing = 0.9}},
          {"policies, as code", AdaSharePenalty{.sparsity = 0.4, .sharing = 0.9, .as_code = true}},
          {"subspaces", OrthogonalSubspaces{.weight = 0.8, .subspaces = 3}},
          {"choice", StaticChoice{.entropy = 0.3, .num_experts = 5}},
          {"heads", TensorNormal{.weight = 0.6, .every = 2, .parameters = "towers.*"}}};
}

// Of one penalty, once it has learned from two steps.
inline plait::testing::GradientReport check(const plait::NamedPenalty& penalty) {
  using namespace plait;
  ParamBuffer<double> theta(table());
  Random random(7);
  initialise(theta, random);
  Penalties<double> penalties(theta.shared_table(), {penalty});
  for (int step = 0; step < 2; ++step) penalties.update(theta);
  for (double& value : theta.flat()) value += random.symmetric(0.1);
  ParamBuffer<double> gradient(theta.shared_table()), unused(theta.shared_table());
  for (double& value : gradient.flat()) value = 1;  // it is added to
  penalties.add(theta, gradient);
  for (double& value : gradient.flat()) value -= 1;
  testing::GradientCheck check;
  for (const ParamEntry& entry : theta.table().entries())
    check.compare(entry.name, theta.of(entry.id), gradient.of(entry.id),
                  [&] { return penalties.add(theta, unused); });
  return check.report();
}

}  // namespace penalty_cases
