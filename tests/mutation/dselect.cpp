// What a mutation of DSelect-k's gate must make fail beside contract and gradients where it starts:
// its definition, gradients with saturated steps and under expert dropout, and its regularisers.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "layers/dselect_cases.hpp"
#include "mutation/checks.hpp"
#include "mutation/layer_checks.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/fusion/dropout.hpp"
#include "plait/testing/build.hpp"
#include "support/with_options.hpp"

namespace {

using namespace dselect;

std::string check_dropout(bool per_example) {
  const auto built = plait::testing::build<double>(
      4, plait::Trunk<double>(
             plait::MMoE{.input_dim = 3,
                         .num_tasks = 2,
                         .num_experts = 5,
                         .expert = {{3}, plait::Activation::tanh},
                         .gate = {.dselect = plait::DSelectK{.per_example = per_example}}}));
  const plait::ExpertDropout half{.rate = 0.5, .seed = 3};
  const auto report = checks::gradients(
      plait::Network<double>(with_options::Layer{built.layer, {.expert_dropout = half}}),
      built.theta);
  return report.passed() ? "" : "expert dropout: " + report.text();
}

std::string check_sum() {
  plait::Tensor<double> weights(20, 1, 4);
  for (double& weight : plait::testing::flat(weights)) weight = 0.2;
  plait::drop_experts({.rate = 0.4, .seed = 1}, weights.view(), 0, 0, /*of_softmax=*/false);
  for (Index b = 0; b < 20; ++b) {
    double sum = 0;
    for (Index e = 0; e < 4; ++e) sum += weights.view()(b, 0, e);
    if (std::abs(sum - 0.8) > 1e-12) return "expert dropout changes the sum of the weights";
  }
  return "";
}

// Two tasks that have chosen: what scoring leaves out has no weight.
std::string check_left_out() {
  const plait::MMoE trunk{.input_dim = 4,
                          .num_tasks = 2,
                          .num_experts = 6,
                          .expert = {3},
                          .gate = {.dselect = plait::DSelectK{.gamma = 0.01}}};
  const auto built = plait::testing::build<double>(4, plait::Trunk<double>(trunk));
  auto theta = built.theta;
  for (const auto& entry : theta.table().entries())
    if (entry.name.find(".z.") != std::string::npos)
      for (double& number : theta.of(entry.id)) number *= 300;
  plait::Random random(7);
  plait::Tensor<double> x(20, 1, 4), kept(20, 2, 3), scored(20, 2, 3);
  plait::testing::fill_normal<double>(x, random);
  plait::Network<double>::Workspace workspace;
  plait::Scratch scratch;
  built.layer.forward(theta, x, kept, &workspace, scratch);
  built.layer.forward(theta, x, scored, nullptr, scratch);
  return std::ranges::equal(plait::testing::flat(kept), plait::testing::flat(scored))
             ? ""
             : "scores that leave experts out";
}

}  // namespace

std::string checks::run() {
  for (const Index n : {3, 4, 6, 8}) {
    const Weights of_gate = weights(n, 2);
    for (std::size_t e = 0; e < of_gate.got.size(); ++e)
      if (std::abs(of_gate.got[e] - of_gate.expected[e]) > 1e-12)
        return plait::text(n, " experts, weight ", e, " is not the definition's");
  }
  for (auto c : cases()) {
    if (c.experts < 3 || c.config.selectors != 2) continue;
    const auto gate = built(c);
    const plait::Network<double> layer(gate.layer);
    const auto gradients = checks::gradients(layer, gate.theta);
    if (!gradients.passed()) return name_of(c) + ": " + gradients.text();
    const auto contract = checks::contract(layer, gate.theta);
    if (!contract.passed()) return name_of(c) + ": " + contract.text();
    c.spread = 0.1;
    const auto penalty = check_penalty(c, {.entropy = 0.3});
    if (!penalty.passed()) return name_of(c) + ", regularisers: " + penalty.text();
  }
  for (const bool per_example : {true, false})
    if (const std::string wrong = check_dropout(per_example); !wrong.empty()) return wrong;
  if (const std::string wrong = check_left_out(); !wrong.empty()) return wrong;
  return check_sum();
}
