// What a mutation of connections that are drawn must make fail: gradients with fixed draws, the
// straight-through gradient of a choice, and where draws come from.
#include <cmath>
#include <string>
#include <vector>

#include "architectures/drawn_cases.hpp"
#include "mutation/checks.hpp"
#include "mutation/layer_checks.hpp"
#include "plait/architectures/ada_share.hpp"
#include "plait/architectures/learning_to_branch.hpp"
#include "plait/architectures/snr.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/fusion/hard_concrete.hpp"
#include "plait/fusion/skip_policy.hpp"
#include "plait/testing/build.hpp"
#include "support/with_options.hpp"

namespace {

using namespace plait;
using drawn_cases::built_of;

// Of one row.
std::vector<double> output(const testing::Built<Network<double>>& built, Draws draws) {
  Tensor<double> y(1, 2, 3);
  Scratch scratch;
  const auto x = built.input(1);
  built.layer.forward(built.theta.view(), x.view(), y.view(), nullptr, scratch, {.draws = draws});
  const auto numbers = testing::flat(y);
  return {numbers.begin(), numbers.end()};
}

// Expected gates, which learn only where they are neither shut nor open, and draws that differ.
std::string wrong_gates() {
  const HardConcrete gate;
  const std::vector<double> a{0.665, 0.665};
  std::vector<double> z(2), kept(2);
  gate.weigh(2, a.data(), {}, CounterRandom(), z.data(), kept.data());
  if (std::abs(z[0] - 0.6924592076950594) > 1e-12) return "an expected gate";
  gate.weigh(2, a.data(), {.seed = 1, .step = 2}, CounterRandom(3), z.data(), kept.data());
  if (z[0] == z[1]) return "two gates of one draw";
  const std::vector<double> far{-9, 9};
  gate.weigh(2, far.data(), {}, CounterRandom(), z.data(), kept.data());
  if (z[0] != 0 || z[1] != 1 || kept[0] != 0 || kept[1] != 0) return "a gate that is shut or open";
  return "";
}

// Decisions of a policy.
std::string wrong_policy() {
  const SkipPolicy policy{.warmup_steps = 10, .curriculum_steps = 5};
  if (policy.decides(2, 3, 9) || !policy.decides(2, 3, 10) || policy.decides(1, 3, 14) ||
      !policy.decides(1, 3, 15))
    return "a curriculum";
  const std::vector<double> alike{0.3, 0.3};
  std::vector<double> u(2), kept(3);
  policy.decide(0, 1, alike.data(), {}, CounterRandom(), u.data(), kept.data());
  if (u[0] != 1 || u[1] != 0 || kept[2] != 0) return "a block that is as well executed as skipped";
  if (!drawn_cases::all_policies_learn()) return "a policy that does not learn";
  for (const double first : {0.0, 1.0}) {
    auto built = built_of(drawn_cases::sharing({4}, {3, 2}, 3));
    for (int t = 0; t < 3; ++t) {
      const auto policy = built.theta.of(text("policies.", t));
      policy[0] = t == 0 ? first : 1 - first;
      policy[1] = 1 - policy[0];
      policy[2] = t == 1 ? 0 : 1;
      policy[3] = 1 - policy[2];
    }
    if (!drawn_cases::tasks_are_as_alone(built)) return "AdaShare: a task beside others";
    const auto gradients = checks::gradients(Network<double>(built.layer), built.theta);
    if (!gradients.passed()) return "AdaShare, served: " + gradients.text();
  }
  return "";
}

}  // namespace

std::string checks::run() {
  const auto choice = drawn_cases::check_choice();
  if (!choice.passed()) return "a choice: " + choice.text();
  if (std::string wrong = wrong_gates(); !wrong.empty()) return wrong;
  for (const auto connection : {SNRConnection::trans, SNRConnection::aver}) {
    const auto built = built_of(drawn_cases::snr(connection));
    for (Index step = 0; step < 3; ++step) {
      const with_options::Layer layer{built.layer, {.draws = {.seed = 8, .step = step}}};
      const auto gradients = checks::gradients(Network<double>(layer), built.theta);
      if (!gradients.passed()) return "SNR: " + gradients.text();
      if (output(built, layer.options.draws) == output(built, {.seed = 8, .step = step + 1}))
        return "SNR: two steps of one draw";
    }
  }
  for (Index step = -1; step < 4; ++step) {
    AdaShare sharing = drawn_cases::sharing({4}, {3, 2}, 3);
    sharing.policy.curriculum_steps = 3;
    const auto built = built_of(sharing);
    const auto gradients = checks::gradients(
        Network<double>(with_options::Layer{built.layer, {.draws = {.seed = 8, .step = step}}}),
        built.theta);
    if (!gradients.passed()) return "AdaShare: " + gradients.text();
  }
  if (std::string wrong = wrong_policy(); !wrong.empty()) return wrong;
  LearningToBranch description = drawn_cases::branching();
  description.branches.warmup_steps = 2;
  const auto built = built_of(description);
  const auto gradients = checks::gradients(
      Network<double>(with_options::Layer{built.layer, {.draws = {.seed = 8, .step = 1}}}),
      built.theta);
  if (!gradients.passed()) return "a warm-up: " + gradients.text();
  bool differs = false;
  for (Index step = 3; step < 12; ++step)
    differs |= output(built, {.seed = 8, .step = 2}) != output(built, {.seed = 8, .step = step});
  return differs ? "" : "branches: one draw for all steps";
}
