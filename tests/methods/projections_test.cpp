// PCGrad and GradVac in weights are what their papers write in vectors; random orders.
#include <cmath>
#include <set>
#include <vector>

#include "methods/support.hpp"
#include "plait/methods/gradvac.hpp"
#include "plait/methods/pcgrad.hpp"
#include "support/catch.hpp"

using methods_test::Kind;
using plait::Index;

namespace {

// The orders in which a method with this random stream visits the other tasks.
std::vector<Index> draw_order(plait::Random& random, Index tasks, Index task, bool include_self) {
  std::vector<Index> order;
  for (Index j = 0; j < tasks; ++j)
    if (include_self || j != task) order.push_back(j);
  random.shuffle(order);
  return order;
}

// Algorithm 1 of PCGrad, on the gradients.
Eigen::VectorXd pcgrad(const Eigen::MatrixXd& g, bool include_self, plait::Random random) {
  Eigen::VectorXd d = Eigen::VectorXd::Zero(g.cols());
  for (Index i = 0; i < g.rows(); ++i) {
    Eigen::VectorXd h = g.row(i).transpose();
    for (const Index j : draw_order(random, g.rows(), i, include_self)) {
      const double product = g.row(j).dot(h);
      if (product < 0) h -= product / g.row(j).squaredNorm() * g.row(j).transpose();
    }
    d += h;
  }
  return d;
}

// Algorithm 1 of GradVac, on the gradients; moves the targets.
Eigen::VectorXd gradvac(const Eigen::MatrixXd& g, double beta, Eigen::MatrixXd& targets,
                        plait::Random& random) {
  Eigen::VectorXd d = Eigen::VectorXd::Zero(g.cols());
  for (Index i = 0; i < g.rows(); ++i) {
    Eigen::VectorXd h = g.row(i).transpose();
    for (const Index j : draw_order(random, g.rows(), i, false)) {
      const Eigen::VectorXd other = g.row(j).transpose();
      const double cosine = h.dot(other) / (h.norm() * other.norm());
      double& target = targets(i, j);
      if (cosine < target) {
        const double turned =
            h.norm() *
            (target * std::sqrt(1 - cosine * cosine) - cosine * std::sqrt(1 - target * target)) /
            (other.norm() * std::sqrt(1 - target * target));
        h += turned * other;
        CHECK_THAT(h.dot(other) / (h.norm() * other.norm()),
                   Catch::Matchers::WithinAbs(target, 1e-7));
      }
      target = (1 - beta) * target + beta * cosine;
    }
    d += h;
  }
  return d;
}

}  // namespace

TEST_CASE("projections: PCGrad's weights give the direction of its algorithm") {
  plait::Random random(1);
  for (const bool include_self : {false, true})
    for (Index tasks = 2; tasks <= 8; ++tasks)
      for (int k = 0; k < 50; ++k) {
        const Eigen::MatrixXd g = methods_test::random_gradients(Kind::dependent, tasks, random);
        const auto seed = static_cast<std::uint64_t>(k);
        const Eigen::VectorXd alpha = methods_test::weights(
            plait::PCGrad{.include_self = include_self}, g * g.transpose(), {}, seed);
        const Eigen::VectorXd expected = pcgrad(g, include_self, plait::Random(seed));
        CHECK((g.transpose() * alpha - expected).norm() < 1e-10 * (1 + alpha.norm()));
      }
}

TEST_CASE("projections: PCGrad conflicts with no task it projected on last") {
  plait::Random random(2);
  for (int k = 0; k < 200; ++k) {
    const Eigen::MatrixXd g = methods_test::random_gradients(Kind::independent, 4, random);
    const Eigen::MatrixXd m = g * g.transpose();
    const std::vector<Index> order{3, 1, 2};
    const Eigen::VectorXd c = methods_test::pcgrad_project(m, 0, order);
    CHECK(m.row(2).dot(c) > -1e-12);
  }
}

TEST_CASE("projections: GradVac's weights give the direction of its algorithm, over many steps") {
  for (Index tasks = 2; tasks <= 6; ++tasks) {
    plait::Random random(3), order(7);
    const plait::GradVac method{.beta = 0.2};
    plait::MethodState state = methods_test::start(method, tasks, 7);
    Eigen::MatrixXd targets = Eigen::MatrixXd::Zero(tasks, tasks);
    const Eigen::MatrixXd base =
        methods_test::random_gradients(Kind::friendly, tasks, random);  // so that targets rise
    for (int step = 0; step < 30; ++step) {
      Eigen::MatrixXd g = base;
      for (double& number : g.reshaped()) number += random.normal();
      const Eigen::MatrixXd m = g * g.transpose();
      const Eigen::VectorXd alpha =
          methods_test::weights_of(method, plait::BalancingInput{tasks, m}, state);
      const Eigen::VectorXd expected = gradvac(g, method.beta, targets, order);
      CHECK((g.transpose() * alpha - expected).norm() < 1e-9 * (1 + expected.norm()));
      for (Index i = 0; i < tasks; ++i)
        for (Index j = 0; j < tasks; ++j)
          CHECK_THAT(state.numbers[static_cast<std::size_t>(i * tasks + j)],
                     Catch::Matchers::WithinAbs(targets(i, j), 1e-10));
    }
    CHECK(targets.maxCoeff() > 0.1);
    CHECK(targets.diagonal().isZero(0));
  }
}

TEST_CASE("projections: the orders are random, and repeat with the seed") {
  plait::Random random(4);
  const Eigen::MatrixXd g = methods_test::random_gradients(Kind::dependent, 5, random);
  const Eigen::MatrixXd m = g * g.transpose();
  const auto sequence = [&](std::uint64_t seed) {
    plait::MethodState state{.random = plait::Random(seed)};
    std::vector<double> result;
    for (int k = 0; k < 20; ++k)
      result.push_back(
          methods_test::weights_of(plait::PCGrad{}, plait::BalancingInput{5, m}, state).sum());
    return result;
  };
  CHECK(sequence(1) == sequence(1));
  CHECK(sequence(1) != sequence(2));
  const auto sums = sequence(1);
  CHECK(std::set<double>(sums.begin(), sums.end()).size() > 5);
}
