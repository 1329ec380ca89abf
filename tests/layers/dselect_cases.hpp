// DSelect-k gates of many sizes, with steps that are saturated and steps that are not; what the
// tests and the mutation test check them by.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "plait/layers/dselect_gate.hpp"
#include "plait/testing/build.hpp"
#include "plait/testing/gradcheck.hpp"

namespace dselect {

using plait::Index;
using Gate = plait::DSelectGate<double>;

struct Case {
  Index experts;
  plait::DSelectK config;
  double spread;  // of z, in units of γ: a step is saturated beyond 1/2
};

inline std::vector<Case> cases() {
  std::vector<Case> result;
  for (const bool per_example : {true, false})
    for (const Index n : {1, 2, 3, 4, 5, 8})
      for (const Index k : {Index{1}, Index{2}, n}) {
        if (k == n && n <= 2) continue;  // there already
        for (const double spread : {0.3, 0.8})
          result.push_back(
              {n,
               {.selectors = k, .gamma = n == 4 ? 0.4 : 1.5, .per_example = per_example},
               spread});
      }
  return result;
}

inline std::string name_of(const Case& c) {
  return plait::text(c.experts, " experts, ", c.config.selectors, " selectors, ",
                     c.config.per_example ? "per example" : "static", ", spread ", c.spread);
}

inline constexpr Index input_dim = 3;

// With z moved away from the middle of its steps, where it starts.
inline plait::testing::Built<Gate> built(const Case& c, std::uint64_t seed = 3) {
  auto result = plait::testing::build<double>(seed, [&](plait::ParamTable& table) {
    return Gate(table, "gate", input_dim, c.experts, c.config);
  });
  for (const auto& entry : result.theta.table().entries()) {
    const bool of_z = entry.name.starts_with("gate.z");
    const double scale = of_z ? 100 * c.spread : 10;
    for (double& number : result.theta.of(entry.id)) number *= scale;
  }
  return result;
}

// Step and products as the paper has them.
inline double smooth_step(double t, double gamma) {
  if (t <= -gamma / 2) return 0;
  if (t >= gamma / 2) return 1;
  return -2 * t * t * t / (gamma * gamma * gamma) + 3 * t / (2 * gamma) + 0.5;
}
inline double selected(Index e, Index bits, const double* z, double gamma) {
  double product = 1;
  for (Index j = 0; j < bits; ++j) {
    const double s = smooth_step(z[j], gamma);
    product *= (e >> (bits - 1 - j)) % 2 == 1 ? s : 1 - s;
  }
  return product;
}

struct Weights {
  std::vector<double> got, expected;
};

// A static gate's, half of its steps saturated, and the definition's.
inline Weights weights(Index n, Index k) {
  constexpr double gamma = 0.7;
  auto gate = plait::testing::build<double>(1, [&](plait::ParamTable& table) {
    return Gate(table, "gate", input_dim, n,
                {.selectors = k, .gamma = gamma, .per_example = false});
  });
  plait::Random random(static_cast<std::uint64_t>(n));
  for (double& number : gate.theta.flat()) number = random.symmetric(gamma);
  plait::Tensor<double> x(1, 1, input_dim), q(1, 1, n);
  plait::Scratch scratch;
  gate.layer.forward(gate.theta, x, q, nullptr, scratch);
  const auto numbers = plait::testing::flat(q);
  Weights result{{numbers.begin(), numbers.end()}, {}};
  if (n == 1) return {result.got, {1.0}};
  double sum = 0;
  for (const double a : gate.theta.of("gate.w")) sum += std::exp(a);
  const Index bits = plait::kernels::code_bits(n);
  for (Index e = 0; e < n; ++e) {
    double expected = 0;
    for (Index i = 0; i < k; ++i)
      expected += std::exp(gate.theta.of("gate.w")[static_cast<std::size_t>(i)]) / sum *
                  selected(e, bits, gate.theta.of("gate.z").data() + i * bits, gamma);
    result.expected.push_back(expected);
  }
  return result;
}

// The gradients of the regularisers against finite differences of their sum.
inline plait::testing::GradientReport check_penalty(const Case& c,
                                                    const plait::DSelectPenalty& penalty) {
  auto gate = built(c);
  auto x = gate.input(3);
  plait::Tensor<double> y(3, 1, c.experts), dx(3, 1, input_dim);
  plait::ParamBuffer<double> grad(gate.theta.shared_table()), unused = grad;
  plait::Scratch scratch;
  Gate::Workspace workspace;
  const auto add = [&](plait::ParamBuffer<double>& to, plait::View3<double> dinput) {
    gate.layer.forward(gate.theta, x, y, &workspace, scratch);
    return gate.layer.add_penalty(gate.theta, x, penalty, dinput, workspace, to, scratch);
  };
  std::ranges::fill(plait::testing::flat(dx), 0.0);
  add(grad, dx);
  plait::testing::GradientCheck check;
  const auto loss = [&] { return add(unused, {}); };
  check.compare("x", plait::testing::flat(x), plait::testing::flat(dx), loss);
  for (const auto& entry : grad.table().entries())
    check.compare(entry.name, gate.theta.of(entry.id), grad.of(entry.id), loss);
  return check.report();
}

}  // namespace dselect
