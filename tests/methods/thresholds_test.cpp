// Gradients that are short, or nearly dependent, and count; and those of which rounding alone is
// left. Lengths are squared in a Gramian: a millionth is 1e-12 there.
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "methods/support.hpp"
#include "plait/methods/aligned_mtl.hpp"
#include "plait/methods/cagrad.hpp"
#include "plait/methods/fairgrad.hpp"
#include "plait/methods/gradvac.hpp"
#include "plait/methods/imtl_g.hpp"
#include "plait/methods/mgda.hpp"
#include "plait/methods/nash_mtl.hpp"
#include "plait/methods/upgrad.hpp"
#include "support/catch.hpp"

using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using methods_test::weights;
using plait::Index;

namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

// Angles whose squares are far below 1e-12, to 50 times what rounding leaves.
const std::vector<double> angles{1e-4, 1e-5, 1.9e-6, 1e-6, 3e-7};

// What an entry's rounding is worth relative to a squared angle.
double accuracy(double angle) { return 1e-9 + 16 * epsilon / (angle * angle); }

// Unit vectors at an angle short of opposite.
Eigen::MatrixXd nearly_opposite(double angle) {
  Eigen::MatrixXd g(2, 2);
  g << 1, 0, -std::cos(angle), std::sin(angle);
  return g;
}

Eigen::MatrixXd gramian_of(const Eigen::MatrixXd& g) { return g * g.transpose(); }

}  // namespace

TEST_CASE("thresholds: a short gradient that is independent counts") {
  for (const double ratio : {1e3, 0.9e6, 1.1e6, 5e6, 1e7}) {
    CAPTURE(ratio);
    Eigen::MatrixXd m = Eigen::MatrixXd::Zero(2, 2);
    m(0, 0) = 1;
    m(1, 1) = 1 / ratio / ratio;
    // Both directions at the length of the shorter one, of the mean square.
    const Eigen::VectorXd shortest = weights(plait::AlignedMTL{}, m);
    CHECK_THAT(shortest[0], WithinRel(0.5 / ratio, 1e-12));
    CHECK_THAT(shortest[1], WithinRel(0.5, 1e-12));
    const Eigen::VectorXd mean = weights(plait::AlignedMTL{.scale = plait::AlignedScale::mean}, m);
    CHECK_THAT(mean[1], WithinRel(0.5 * ratio * std::sqrt(0.5 + 0.5 * m(1, 1)), 1e-12));
    // Three tasks, the third at an angle to the others and as short as the second.
    Eigen::MatrixXd g(3, 3);
    g << 1, 0, 0, 0, 1 / ratio, 0, 0, 0.6 / ratio, 0.8 / ratio;
    const Eigen::VectorXd d = g.transpose() * weights(plait::AlignedMTL{}, gramian_of(g));
    // Singular values 1 and √(1 ± 0.6) / ratio; all become the least.
    CHECK_THAT(d[0], WithinRel(std::sqrt(0.4) / ratio / 3, 1e-3));
    // Between unit gradients lengths do not matter.
    const Eigen::VectorXd nash = weights(plait::NashMTL{}, m);
    CHECK_THAT(nash[0], WithinRel(1, 1e-12));
    CHECK_THAT(nash[1], WithinRel(ratio, 1e-12));
    const Eigen::VectorXd mgda = weights(plait::MGDA{}, m);
    CHECK_THAT(mgda[0], WithinRel(m(1, 1) / (1 + m(1, 1)), 1e-6));
    CHECK(weights(plait::UPGrad{}, m) == Eigen::Vector2d(0.5, 0.5));
  }
}

TEST_CASE("thresholds: nearly opposite gradients are not opposite") {
  for (const double angle : angles) {
    CAPTURE(angle);
    Eigen::MatrixXd g = nearly_opposite(angle);
    // 1 / √(1 + cos θ)
    const double alpha = 1 / (std::sqrt(2) * std::sin(angle / 2));
    const Eigen::VectorXd nash = weights(plait::NashMTL{}, gramian_of(g));
    for (const Index t : {0, 1}) CHECK_THAT(nash[t], WithinRel(alpha, accuracy(angle)));
    // As long as the mean, and half as long again.
    const Eigen::VectorXd d = g.transpose() * weights(plait::CAGrad{.c = 0.5}, gramian_of(g));
    CHECK_THAT(d.norm(), WithinRel(1.5 * std::sin(angle / 2), 2 * accuracy(angle)));
    // FairGrad at α = 2: 2 sin²(δ/2) w = w^(-1/2)
    const Eigen::VectorXd fair = weights(plait::FairGrad{.alpha = 2}, gramian_of(g));
    const double expected = std::pow(2 * std::pow(std::sin(angle / 2), 2), -2.0 / 3);
    for (const Index t : {0, 1}) CHECK_THAT(fair[t], WithinRel(expected, 4 * accuracy(angle)));
    g.row(1) *= 1e-3;
    const Eigen::VectorXd unequal = weights(plait::NashMTL{}, gramian_of(g));
    CHECK_THAT(unequal[0], WithinRel(alpha, accuracy(angle)));
    CHECK_THAT(unequal[1], WithinRel(1e3 * alpha, accuracy(angle)));
  }
}

TEST_CASE("thresholds: IMTL-G tells nearly parallel gradients apart") {
  for (const double angle : angles) {
    CAPTURE(angle);
    const double a = 1;  // of the third gradient
    Eigen::MatrixXd g(3, 3);
    g << 1, 0, 0, std::cos(angle), std::sin(angle), 0, std::cos(a), 0, std::sin(a);
    Eigen::Vector3d expected;
    expected[2] = std::tan(a / 2) / std::sin(a);
    expected[1] = std::tan(angle / 2) / std::sin(angle);
    expected[0] = 1 - expected[1] * std::cos(angle) - expected[2] * std::cos(a);
    expected /= expected.sum();
    const Eigen::VectorXd alpha = weights(plait::IMTLG{}, gramian_of(g));
    CHECK((alpha - expected).norm() < 4 * accuracy(angle));
    // Of two that are nearly parallel each counts half, whatever rounding makes of their
    // difference.
    const Eigen::VectorXd two = weights(plait::IMTLG{}, gramian_of(g.topRows(2)));
    CHECK((two - Eigen::Vector2d(0.5, 0.5)).norm() < 1e-12);
  }
}

TEST_CASE("thresholds: what rounding leaves of dependent gradients is no direction") {
  plait::Random random(4);
  for (const auto kind : {methods_test::Kind::parallel, methods_test::Kind::dependent,
                          methods_test::Kind::opposite, methods_test::Kind::stationary})
    for (Index tasks = 2; tasks <= 6; ++tasks)
      for (int k = 0; k < 50; ++k) {
        CAPTURE(int(kind), tasks, k);
        const Eigen::MatrixXd g = methods_test::random_gradients(kind, tasks, random);
        // √s is the least singular value that is not rounding; the singular values of G tell, whose
        // own rounding is not squared.
        const Eigen::VectorXd singular = g.jacobiSvd().singularValues();
        Index rank = 0;
        while (rank < singular.size() && singular[rank] > 1e-10 * singular[0]) ++rank;
        const Eigen::VectorXd alpha = weights(plait::AlignedMTL{}, gramian_of(g));
        // ‖d‖ is √s times the length of p's part in the span.
        const Eigen::VectorXd d = g.transpose() * alpha;
        CHECK(d.norm() <= singular[rank - 1] * (1 + 1e-6) / std::sqrt(double(tasks)));
        CHECK(d.norm() >
              1e-6 * singular[rank - 1] * (g.transpose() * Eigen::VectorXd::Ones(tasks)).norm());
      }
}

TEST_CASE("thresholds: GradVac passes over pairs whose gradient has vanished") {
  plait::Random random(8);
  const plait::GradVac method{.beta = 0.25};
  for (int k = 0; k < 200; ++k) {
    CAPTURE(k);
    Eigen::MatrixXd g(3, 7);
    for (double& number : g.reshaped()) number = random.normal();
    g.row(1) = -(0.1 + random.uniform()) * g.row(0);
    const Eigen::MatrixXd m = gramian_of(g);
    plait::MethodState state = methods_test::start(method, 3, std::uint64_t(k));
    methods_test::weights_of(method, plait::BalancingInput{3, m}, state);
    // Either the pair came first, with the gradients' own cosine, or the gradient was gone.
    for (const Index i : {0, 1}) {
      const double cosine = m(i, 2) / std::sqrt(m(i, i) * m(2, 2));
      const double target = state.numbers[std::size_t(i * 3 + 2)];
      CAPTURE(i, cosine, target);
      CHECK((target == 0 || std::abs(target - 0.25 * cosine) < 1e-12));
    }
  }
}
