// What a mutation of a penalty must make fail: every penalty's gradient against differences of its
// value, known values, and each penalty's own numbers.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "mutation/checks.hpp"
#include "penalties/cases.hpp"

namespace {

using namespace plait;

// Known ones: of L2, of a prior that has not learned and of one that has, and of two policies.
std::string wrong_values() {
  auto table = std::make_shared<ParamTable>();
  for (int t = 0; t < 2; ++t)
    table->add_matrix("heads." + std::to_string(t), 1, 2, Init::constant(3));
  for (int t = 0; t < 2; ++t)
    table->add_matrix("policies." + std::to_string(t), 2, 2, Init::constant(0));
  ParamBuffer<double> theta(table), gradient(theta.shared_table());
  Random random(1);
  initialise(theta, random);
  theta.of("policies.0")[0] = theta.of("policies.0")[2] = std::log(3);  // p is 3/4
  Penalties<double> penalties(
      theta.shared_table(),
      {{"norm", L2{.weight = 2, .parameters = "heads.*"}},
       {"prior",
        TensorNormal{
            .weight = 1, .epsilon = 1, .every = 1, .tasks_alone = true, .parameters = "heads.*"}},
       {"policies", AdaSharePenalty{.sharing = 8}}});
  penalties.add(theta, gradient);
  if (penalties.values()[0] != 36) return "L2";
  if (penalties.values()[1] != 18) return "a prior";
  // Of the first block (2 - 1) / 2 · 1/4, of the second nothing.
  if (std::abs(penalties.values()[2] - 1) > 1e-12) return "policies";
  // Σ_3 = 9 of all ones + I, whose inverse on ones is 1/19, and whose determinant is 19.
  penalties.update(theta);
  penalties.add(theta, gradient);
  const double known = (36.0 / 19 + 2 * std::log(19)) / 2;
  return std::abs(penalties.values()[1] - known) < 1e-12 ? "" : "a prior that has learned";
}

// A prior learns in the same way beside another as alone, and its value is that of its numbers.
std::string wrong_numbers() {
  ParamBuffer<double> theta(penalty_cases::table()), gradient(theta.shared_table());
  Random random(7);
  initialise(theta, random);
  const NamedPenalty prior{"prior",
                           TensorNormal{.weight = 1, .every = 1, .parameters = "towers.*"}};
  const NamedPenalty other{"other",
                           TensorNormal{.weight = 1, .every = 1, .parameters = "trunk.policies.*"}};
  Penalties<double> alone(theta.shared_table(), {prior}),
      beside(theta.shared_table(), {other, prior});
  alone.update(theta);
  beside.update(theta);
  alone.add(theta, gradient);
  beside.add(theta, gradient);
  if (alone.values()[0] != beside.values()[1]) return "two priors";
  return "";
}

}  // namespace

std::string checks::run() {
  for (const auto& penalty : penalty_cases::all()) {
    const auto report = penalty_cases::check(penalty);
    if (!report.passed()) return penalty.name + ": " + report.text();
  }
  const std::string wrong = wrong_values();
  return wrong.empty() ? wrong_numbers() : wrong;
}
