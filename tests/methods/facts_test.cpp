// How the methods relate to each other.
#include <cmath>
#include <vector>

#include "methods/support.hpp"
#include "plait/methods/aligned_mtl.hpp"
#include "plait/methods/cagrad.hpp"
#include "plait/methods/fairgrad.hpp"
#include "plait/methods/gradvac.hpp"
#include "plait/methods/imtl_g.hpp"
#include "plait/methods/mgda.hpp"
#include "plait/methods/nash_mtl.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/methods/upgrad.hpp"
#include "support/catch.hpp"

using methods_test::Kind;
using methods_test::weights;
using plait::Index;

namespace {

// The sine of the angle between two weightings' directions, with sign of the cosine required
// positive: 0 where they are parallel.
double angle(const Eigen::MatrixXd& m, const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  const Eigen::VectorXd x = a / std::sqrt(a.dot(m * a)), y = b / std::sqrt(b.dot(m * b));
  const Eigen::VectorXd difference = x - y;
  return std::sqrt(std::max(0.0, difference.dot(m * difference)));
}

template <class Check>
void for_gramians(Kind kind, Index tasks, const Check& check) {
  plait::Random random(3);
  for (int k = 0; k < 200; ++k) {
    const Eigen::MatrixXd g = methods_test::random_gradients(kind, tasks, random);
    check(Eigen::MatrixXd(g * g.transpose()));
  }
}

}  // namespace

TEST_CASE("facts: for two tasks IMTL-G, Nash-MTL and the sum of unit gradients are parallel") {
  for_gramians(Kind::unequal, 2, [](const Eigen::MatrixXd& m) {
    const Eigen::VectorXd units = m.diagonal().cwiseSqrt().cwiseInverse();
    CHECK(angle(m, weights(plait::IMTLG{}, m), units) < 1e-7);
    CHECK(angle(m, weights(plait::NashMTL{}, m), units) < 1e-7);
  });
}

TEST_CASE("facts: Nash-MTL has a closed form for two tasks, and length √T for any") {
  for_gramians(Kind::independent, 2, [](const Eigen::MatrixXd& m) {
    const double cosine = m(0, 1) / std::sqrt(m(0, 0) * m(1, 1));
    const Eigen::VectorXd alpha = weights(plait::NashMTL{}, m);
    for (const Index t : {0, 1})
      CHECK_THAT(alpha[t] * std::sqrt(m(t, t) * (1 + cosine)),
                 Catch::Matchers::WithinAbs(1, 1e-10));
  });
  for_gramians(Kind::unequal, 5, [](const Eigen::MatrixXd& m) {
    const Eigen::VectorXd alpha = weights(plait::NashMTL{}, m);
    CHECK_THAT(alpha.dot(m * alpha), Catch::Matchers::WithinAbs(5, 1e-10));
  });
}

// As the authors' code: its constraint is of M / ‖M‖_F and of α alike, so the Gramian's size does
// not matter to the direction, only to α.
TEST_CASE("facts: Nash-MTL of length at most 1 has the numbers of the authors' code") {
  for (const double scale : {1e-3, 0.1, 1.0, 40.0}) {
    CAPTURE(scale);
    const Eigen::MatrixXd m = scale * scale * Eigen::MatrixXd::Identity(2, 2);
    const Eigen::VectorXd plain = weights(plait::NashMTL{}, m);
    CHECK((plain - Eigen::Vector2d::Constant(1 / scale)).norm() < 1e-12 / scale);
    const Eigen::VectorXd clipped = weights(plait::NashMTL{.max_norm = 1}, m);
    CHECK_THAT(std::sqrt(clipped.dot(m * clipped)), Catch::Matchers::WithinAbs(1, 1e-12));
    CHECK((clipped - plain / std::sqrt(2)).norm() < 1e-12 / scale);
  }
  for_gramians(Kind::unequal, 4, [](const Eigen::MatrixXd& m) {
    const Eigen::VectorXd clipped = weights(plait::NashMTL{.max_norm = 1}, m);
    const Eigen::VectorXd scaled = weights(plait::NashMTL{.max_norm = 1}, m / m.norm());
    CHECK_THAT(clipped.dot(m * clipped), Catch::Matchers::WithinAbs(1, 1e-12));
    CHECK((scaled - clipped * std::sqrt(m.norm())).norm() < 1e-8 * scaled.norm());
  });
}

TEST_CASE("facts: Nash-MTL's max_norm shortens the direction") {
  for_gramians(Kind::independent, 3, [](const Eigen::MatrixXd& m) {
    const Eigen::VectorXd plain = weights(plait::NashMTL{}, m);
    const Eigen::VectorXd clipped = weights(plait::NashMTL{.max_norm = 0.5}, m);
    CHECK_THAT(clipped.dot(m * clipped), Catch::Matchers::WithinAbs(0.25, 1e-12));
    CHECK(angle(m, clipped, plain) < 1e-7);
    CHECK(weights(plait::NashMTL{.max_norm = 100}, m) == plain);
  });
}

TEST_CASE("facts: for two tasks half of PCGrad's sum is UPGrad") {
  for_gramians(Kind::independent, 2, [](const Eigen::MatrixXd& m) {
    CHECK((weights(plait::PCGrad{}, m) / 2 - weights(plait::UPGrad{}, m)).norm() < 1e-12);
  });
}

TEST_CASE("facts: for two tasks MGDA has a closed form") {
  for_gramians(Kind::independent, 2, [](const Eigen::MatrixXd& m) {
    const double share = (m(1, 1) - m(0, 1)) / (m(0, 0) + m(1, 1) - 2 * m(0, 1));
    CHECK_THAT(weights(plait::MGDA{}, m)[0],
               Catch::Matchers::WithinAbs(std::clamp(share, 0.0, 1.0), 1e-12));
  });
}

TEST_CASE("facts: a normalised MGDA is MGDA on normalised gradients") {
  const std::vector<double> losses{0.5, 2.0, 1.25, 3.0};
  const Eigen::VectorXd scale = Eigen::Map<const Eigen::VectorXd>(losses.data(), 4).cwiseInverse();
  using enum plait::MGDANormalisation;
  for_gramians(Kind::independent, 4, [&](const Eigen::MatrixXd& m) {
    const Eigen::VectorXd units = m.diagonal().cwiseSqrt().cwiseInverse();
    const auto on = [&](const Eigen::VectorXd& factors) {
      return weights(plait::MGDA{}, factors.asDiagonal() * m * factors.asDiagonal());
    };
    const auto with = [&](plait::MGDANormalisation normalisation) {
      return weights(plait::MGDA{.normalisation = normalisation}, m, losses);
    };
    CHECK((with(l2) - on(units)).norm() < 1e-12);
    CHECK((with(loss) - on(scale)).norm() < 1e-12);
    CHECK((with(loss_l2) - on(units.cwiseProduct(scale))).norm() < 1e-12);
  });
}

TEST_CASE("facts: CAGrad goes from the mean to the direction of MGDA") {
  for_gramians(Kind::independent, 4, [](const Eigen::MatrixXd& m) {
    CHECK((weights(plait::CAGrad{.c = 0}, m).array() - 0.25).abs().maxCoeff() < 1e-15);
    CHECK(angle(m, weights(plait::CAGrad{.c = 1e6}, m), weights(plait::MGDA{}, m)) < 1e-5);
  });
}

TEST_CASE("facts: without conflict PCGrad is the sum and UPGrad the mean") {
  for_gramians(Kind::friendly, 5, [](const Eigen::MatrixXd& m) {
    CHECK(weights(plait::PCGrad{}, m) == Eigen::VectorXd::Ones(5));
    CHECK(weights(plait::UPGrad{}, m) == Eigen::VectorXd::Constant(5, 0.2));
  });
}

TEST_CASE("facts: GradVac with a target that stays 0 is PCGrad") {
  for (const Index tasks : {2, 3, 6})
    for_gramians(Kind::independent, tasks, [](const Eigen::MatrixXd& m) {
      const Eigen::VectorXd expected = weights(plait::PCGrad{}, m, {}, 4);
      CHECK((weights(plait::GradVac{.beta = 0}, m, {}, 4) - expected).norm() <
            1e-12 * (1 + expected.norm()));
    });
}

TEST_CASE("facts: FairGrad with alpha 1 is Nash-MTL; the larger alpha, the nearer to MGDA") {
  for_gramians(Kind::independent, 3, [](const Eigen::MatrixXd& m) {
    CHECK(weights(plait::FairGrad{}, m) == weights(plait::NashMTL{}, m));
    const Eigen::VectorXd mgda = weights(plait::MGDA{}, m);
    double last = 1e300;
    for (const double alpha : {1.0, 2.0, 5.0, 10.0}) {
      const double now = angle(m, weights(plait::FairGrad{.alpha = alpha}, m), mgda);
      CHECK(now < last + 1e-12);
      last = now;
    }
  });
}

// Scaling a task's gradient must not change the direction of the methods that balance lengths.
TEST_CASE("facts: IMTL-G and Nash-MTL do not see the lengths of the gradients") {
  plait::Random random(8);
  for_gramians(Kind::independent, 4, [&](const Eigen::MatrixXd& m) {
    Eigen::VectorXd factors(4);
    for (double& factor : factors) factor = std::pow(10.0, random.symmetric(2));
    const Eigen::MatrixXd scaled = factors.asDiagonal() * m * factors.asDiagonal();
    const Eigen::VectorXd nash = weights(plait::NashMTL{}, scaled).cwiseProduct(factors);
    CHECK((nash - weights(plait::NashMTL{}, m)).norm() < 1e-10 * nash.norm());
    const Eigen::VectorXd impartial = weights(plait::IMTLG{}, scaled).cwiseProduct(factors);
    const Eigen::VectorXd expected = weights(plait::IMTLG{}, m);
    CHECK((impartial / impartial.sum() - expected / expected.sum()).norm() <
          1e-9 * expected.norm() / std::abs(expected.sum()));
  });
}
