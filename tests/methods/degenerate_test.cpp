// What every method does where there is little to balance: one task, no gradient, parallel and
// opposite gradients, numbers near the ends of double.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "methods/all_methods.hpp"
#include "methods/support.hpp"
#include "support/catch.hpp"

using methods_test::for_each_balancing_method;
using methods_test::weights;
using plait::Index;

namespace {

Eigen::MatrixXd gramian_of(const Eigen::MatrixXd& g) { return g * g.transpose(); }

std::vector<double> ones(Index n) { return std::vector<double>(static_cast<std::size_t>(n), 1.0); }

// Two gradients of the plane as the rows of a matrix.
Eigen::MatrixXd rows(double ax, double ay, double bx, double by) {
  Eigen::MatrixXd g(2, 2);
  g << ax, ay, bx, by;
  return g;
}

// Weights of a method on gradients with losses of 1; d with the second.
template <class Method>
Eigen::VectorXd direction(const Method& method, const Eigen::MatrixXd& g) {
  return g.transpose() * weights(method, gramian_of(g), ones(g.rows()));
}

double error(const Eigen::VectorXd& got, const Eigen::VectorXd& expected) {
  return (got - expected).cwiseAbs().maxCoeff();
}

}  // namespace

TEST_CASE("degenerate: one task's direction is a positive multiple of its gradient") {
  for_each_balancing_method([](const char* name, const auto& method) {
    INFO(name);
    const Eigen::VectorXd alpha = weights(method, Eigen::MatrixXd::Constant(1, 1, 4), ones(1));
    REQUIRE(alpha.size() == 1);
    CHECK(alpha[0] > 0);
  });
  const Eigen::MatrixXd four = Eigen::MatrixXd::Constant(1, 1, 4);
  CHECK(weights(plait::PCGrad{}, four)[0] == 1);
  CHECK(weights(plait::GradVac{}, four)[0] == 1);
  CHECK(weights(plait::UPGrad{}, four)[0] == 1);
  CHECK_THAT(weights(plait::MGDA{}, four)[0], Catch::Matchers::WithinAbs(1, 1e-15));
  CHECK_THAT(weights(plait::IMTLG{}, four)[0], Catch::Matchers::WithinAbs(1, 1e-15));
  CHECK_THAT(weights(plait::AlignedMTL{}, four)[0], Catch::Matchers::WithinAbs(1, 1e-15));
  CHECK_THAT(weights(plait::RotoGrad{}, four)[0], Catch::Matchers::WithinAbs(1, 1e-15));
  CHECK_THAT(weights(plait::CAGrad{.c = 0.25}, four)[0], Catch::Matchers::WithinAbs(1.25, 1e-14));
  CHECK_THAT(weights(plait::NashMTL{}, four)[0], Catch::Matchers::WithinAbs(0.5, 1e-15));
  // 4 w = w^(-1/2)
  CHECK_THAT(weights(plait::FairGrad{.alpha = 2}, four)[0],
             Catch::Matchers::WithinAbs(std::pow(4.0, -2.0 / 3), 1e-14));
}

TEST_CASE("degenerate: without any gradient the weights are finite and, where solved for, zero") {
  for (const Index tasks : {1, 2, 5}) {
    const Eigen::MatrixXd zero = Eigen::MatrixXd::Zero(tasks, tasks);
    for_each_balancing_method([&](const char* name, const auto& method) {
      INFO(name);
      const Eigen::VectorXd alpha = weights(method, zero, ones(tasks));
      REQUIRE(alpha.size() == tasks);
      CHECK(alpha.allFinite());
    });
    CHECK(weights(plait::MGDA{}, zero).isZero(0));
    CHECK(weights(plait::CAGrad{}, zero).isZero(0));
    CHECK(weights(plait::IMTLG{}, zero).isZero(0));
    CHECK(weights(plait::NashMTL{}, zero).isZero(0));
    CHECK(weights(plait::FairGrad{}, zero).isZero(0));
    CHECK(weights(plait::AlignedMTL{}, zero).isZero(0));
    CHECK(weights(plait::DBMTL{}, zero).isZero(0));
    CHECK(weights(plait::RotoGrad{}, zero).isZero(0));
    CHECK(weights(plait::PCGrad{}, zero) == Eigen::VectorXd::Ones(tasks));
    CHECK(weights(plait::GradVac{}, zero) == Eigen::VectorXd::Ones(tasks));
    CHECK(weights(plait::UPGrad{}, zero).isZero(0));
  }
}

// A batch may hold no valid label of a task.
TEST_CASE("degenerate: the others are balanced as if a task without gradient were not there") {
  plait::Random random(2);
  Eigen::MatrixXd g = methods_test::random_gradients(methods_test::Kind::independent, 4, random);
  g.row(2) *= 0;
  Eigen::MatrixXd without(3, g.cols());
  without << g.topRows(2), g.bottomRows(1);
  const std::vector<double> losses{0.5, 1.5, 0, 2.5}, present{0.5, 1.5, 2.5};
  for_each_balancing_method([&](const char* name, const auto& method) {
    INFO(name);
    const Eigen::VectorXd d = g.transpose() * weights(method, gramian_of(g), losses);
    const Eigen::VectorXd expected =
        without.transpose() * weights(method, gramian_of(without), present);
    CHECK(expected.norm() > 0.01);
    CHECK(error(d, expected) < 1e-12);
  });
}

TEST_CASE("degenerate: parallel gradients") {
  const Eigen::MatrixXd g = rows(3, 4, 6, 8);  // lengths 5 and 10
  const Eigen::VectorXd u = g.row(0).transpose() / 5;
  CHECK(error(direction(plait::PCGrad{}, g), 15 * u) < 1e-13);
  CHECK(error(direction(plait::GradVac{}, g), 15 * u) < 1e-13);
  CHECK(error(direction(plait::MGDA{}, g), 5 * u) < 1e-13);
  CHECK(error(direction(plait::CAGrad{.c = 0.5}, g), 7.5 * 1.5 * u) < 1e-13);
  CHECK(error(direction(plait::UPGrad{}, g), 7.5 * u) < 1e-13);
  CHECK(error(direction(plait::NashMTL{}, g), std::sqrt(2) * u) < 1e-13);
  // The least-norm weights of the unit gradients, (1/2, 1/2), as weights of the gradients, with sum
  // 1: (2/3, 1/3).
  CHECK(error(direction(plait::IMTLG{}, g), 20.0 / 3 * u) < 1e-13);
  // One singular value is left, √125, and with it the gradients.
  CHECK(error(direction(plait::AlignedMTL{}, g), 7.5 * u) < 1e-13);
  CHECK(error(direction(plait::RotoGrad{}, g), 15 * u) < 1e-13);
}

TEST_CASE("degenerate: opposite gradients") {
  const Eigen::MatrixXd g = rows(3, 4, -6, -8);
  const Eigen::VectorXd zero = Eigen::VectorXd::Zero(2);
  CHECK(error(direction(plait::PCGrad{}, g), zero) < 1e-13);
  CHECK(error(direction(plait::GradVac{}, g), zero) < 1e-13);
  CHECK(error(direction(plait::MGDA{}, g), zero) < 1e-13);
  CHECK(error(direction(plait::UPGrad{}, g), zero) < 1e-13);
  CHECK(error(direction(plait::NashMTL{}, g), zero) < 1e-13);
  CHECK(error(direction(plait::FairGrad{.alpha = 0.5}, g), zero) < 1e-13);
  CHECK(error(direction(plait::IMTLG{}, g), zero) < 1e-13);
  CHECK(weights(plait::IMTLG{}, gramian_of(g)).isZero(0));
  const Eigen::VectorXd nash = weights(plait::NashMTL{}, gramian_of(g));
  CHECK(error(nash, Eigen::Vector2d(2.0 / 3, 1.0 / 3)) < 1e-14);
  // The mean hurts the first; within the ball of CAGrad lies 0 only for c >= 1.
  const Eigen::VectorXd mean = g.colwise().mean().transpose();
  CHECK(error(direction(plait::CAGrad{.c = 0.25}, g), 0.75 * mean) < 1e-13);
  CHECK(error(direction(plait::CAGrad{.c = 1.5}, g), zero) < 1e-13);
}

TEST_CASE("degenerate: nothing is NaN or infinite, whatever the lengths and angles") {
  plait::Random random(9);
  for (Index tasks = 2; tasks <= 10; ++tasks)
    for (const auto kind : methods_test::all_kinds)
      for (const double exponent : {0.0, 4.0, 20.0, 50.0}) {
        Eigen::MatrixXd g = methods_test::random_gradients(kind, tasks, random);
        for (Index t = 0; t < tasks; ++t) g.row(t) *= std::pow(10.0, random.symmetric(exponent));
        const Eigen::MatrixXd m = gramian_of(g);
        REQUIRE(m.allFinite());
        for_each_balancing_method([&](const char* name, const auto& method) {
          const Eigen::VectorXd alpha = weights(method, m, ones(tasks));
          INFO(name << ", " << tasks << " tasks, kind " << static_cast<int>(kind) << ", lengths 1e±"
                    << exponent << ": " << alpha.transpose());
          CHECK(alpha.allFinite());
        });
      }
}

TEST_CASE("degenerate: nearly opposite gradients, at every distance") {
  for (double angle = 1; angle > 1e-17; angle /= 3) {
    const Eigen::MatrixXd m = gramian_of(rows(1, 0, -std::cos(angle), std::sin(angle)));
    for_each_balancing_method([&](const char* name, const auto& method) {
      const Eigen::VectorXd alpha = weights(method, m, ones(2));
      INFO(name << ", angle " << angle << ": " << alpha.transpose());
      CHECK(alpha.allFinite());
    });
  }
}
