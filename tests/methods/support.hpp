// Calls methods, compares their weights with worked ones, and makes gradients to balance: worked,
// random, and degenerate ones.
#pragma once
#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "plait/core/random.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/methods/upgrad.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"

namespace methods_test {

using plait::Index;

inline Eigen::VectorXd vector(const fixtures::Json& json) {
  Eigen::VectorXd result(static_cast<Index>(json.size()));
  for (Index i = 0; i < result.size(); ++i)
    result[i] = json.at(static_cast<std::size_t>(i)).get<double>();
  return result;
}

inline Eigen::MatrixXd matrix(const fixtures::Json& json) {
  Eigen::MatrixXd result(static_cast<Index>(json.size()), static_cast<Index>(json.at(0).size()));
  for (Index i = 0; i < result.rows(); ++i)
    result.row(i) = vector(json.at(static_cast<std::size_t>(i))).transpose();
  return result;
}

inline std::vector<double> numbers(const Eigen::VectorXd& v) { return {v.begin(), v.end()}; }

// What a method of either kind starts with.
template <class Method>
plait::MethodState start(const Method& method, Index tasks, std::uint64_t seed = 0) {
  return {.random = plait::Random(seed), .numbers = plait::detail::initial_numbers(method, tasks)};
}

// The weights that a method of either kind writes, over what was there before.
template <class Method, class Input>
Eigen::VectorXd weights_of(const Method& method, const Input& input, plait::MethodState& state) {
  Eigen::VectorXd result = Eigen::VectorXd::Constant(input.tasks, 77);
  plait::Scratch scratch;
  method.weights(input, state, std::span(result.data(), std::size_t(input.tasks)), scratch);
  return result;
}

// One call of a balancing method on a fresh state.
template <plait::BalancingMethod Method>
Eigen::VectorXd weights(const Method& method, const Eigen::MatrixXd& gramian,
                        std::span<const double> losses = {}, std::uint64_t seed = 0) {
  plait::MethodState state = start(method, gramian.rows(), seed);
  return weights_of(method, plait::BalancingInput{gramian.rows(), gramian, losses}, state);
}

// The static members of these two, with results.
inline Eigen::VectorXd pcgrad_project(const Eigen::MatrixXd& gramian, Index task,
                                      std::span<const Index> order) {
  Eigen::VectorXd c(gramian.rows());
  plait::PCGrad::project(gramian, task, order, std::span(c.data(), std::size_t(c.size())));
  return c;
}
inline Eigen::VectorXd upgrad_project(const Eigen::MatrixXd& gramian, Index task,
                                      double preference) {
  Eigen::VectorXd v(gramian.rows());
  plait::Scratch scratch;
  plait::UPGrad::project(gramian, task, preference, std::span(v.data(), std::size_t(v.size())),
                         scratch);
  return v;
}

using Numbers = std::vector<double>;

inline void check_close(std::span<const double> got, const Numbers& expected,
                        double tolerance = 1e-10) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t t = 0; t < expected.size(); ++t) {
    INFO("task " << t);
    CHECK_THAT(got[t], Catch::Matchers::WithinAbs(expected[t], tolerance));
  }
}

inline void check_close(std::span<const double> got, const fixtures::Json& expected) {
  check_close(got, expected.get<Numbers>());
}
inline void check_close(const Eigen::VectorXd& got, const fixtures::Json& expected) {
  check_close(Numbers(got.begin(), got.end()), expected);
}

// What is special about some gradients.
enum class Kind {
  independent,
  dependent,   // fewer numbers than tasks
  zero,        // one or more have no gradient
  parallel,    // one is a positive multiple of another
  opposite,    // one is a negative multiple of another
  equal,       // all are the same
  friendly,    // no two conflict
  unequal,     // lengths over six orders of magnitude
  stationary,  // they combine to zero with positive weights
};
inline constexpr Kind all_kinds[] = {Kind::independent, Kind::dependent, Kind::zero,
                                     Kind::parallel,    Kind::opposite,  Kind::equal,
                                     Kind::friendly,    Kind::unequal,   Kind::stationary};

// G [T, P], random up to its kind.
inline Eigen::MatrixXd random_gradients(Kind kind, Index tasks, plait::Random& random) {
  const Index dim = kind == Kind::dependent ? 1 + random.below(tasks - 1) : tasks + random.below(4);
  Eigen::MatrixXd g(tasks, dim);
  for (double& number : g.reshaped()) number = random.normal();
  const Index a = random.below(tasks);
  const Index b = (a + 1 + random.below(tasks - 1)) % tasks;
  switch (kind) {
    case Kind::independent:
    case Kind::dependent:
      break;
    case Kind::zero:
      g.row(a).setZero();
      if (random.below(2) == 0) g.row(b).setZero();
      break;
    case Kind::parallel:
      g.row(b) = (0.1 + 2 * random.uniform()) * g.row(a);
      break;
    case Kind::opposite:
      g.row(b) = -(0.1 + 2 * random.uniform()) * g.row(a);
      break;
    case Kind::equal:
      for (Index t = 1; t < tasks; ++t) g.row(t) = g.row(0);
      break;
    case Kind::friendly:
      g = g.cwiseAbs();
      break;
    case Kind::unequal:
      for (Index t = 0; t < tasks; ++t) g.row(t) *= std::pow(10.0, random.symmetric(3));
      break;
    case Kind::stationary: {
      g.row(tasks - 1).setZero();
      for (Index t = 0; t + 1 < tasks; ++t) g.row(tasks - 1) -= (0.2 + random.uniform()) * g.row(t);
      break;
    }
  }
  return g;
}

}  // namespace methods_test
