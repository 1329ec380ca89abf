// Every method that solves something satisfies its own conditions on 1,000 random Gramians of each
// number of tasks from 2 to 10, a ninth of them of each kind.
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "methods/support.hpp"
#include "plait/methods/aligned_mtl.hpp"
#include "plait/methods/cagrad.hpp"
#include "plait/methods/fairgrad.hpp"
#include "plait/methods/imtl_g.hpp"
#include "plait/methods/mgda.hpp"
#include "plait/methods/nash_mtl.hpp"
#include "plait/methods/nonnegative_qp.hpp"
#include "plait/methods/unit_gramian.hpp"
#include "plait/methods/upgrad.hpp"
#include "support/catch.hpp"

using methods_test::Kind;
using methods_test::weights;
using plait::Index;

namespace {

constexpr int gramians_per_size = 1000;

// The largest violation of a condition, and where it was. Not finite is the largest of all.
class Worst {
 public:
  void see(double violation) {
    if (!std::isfinite(violation)) violation = std::numeric_limits<double>::infinity();
    if (violation <= value_) return;
    value_ = violation;
    at_ = place_;
  }
  void see(const Eigen::VectorXd& violations) {
    for (const double violation : violations) see(violation);
  }
  void at(std::string place) { place_ = std::move(place); }
  double value() const { return value_; }
  std::string text() const { return plait::text(value_, " at ", at_); }

 private:
  double value_ = 0;
  std::string place_;
  std::string at_;
};

// The worst that check(worst, M) sees; not called for Gramians of zeros.
template <class Check>
Worst worst_of(const Check& check) {
  Worst worst;
  plait::Random random(5);
  for (Index tasks = 2; tasks <= 10; ++tasks)
    for (int k = 0; k < gramians_per_size; ++k) {
      const auto kind = static_cast<std::size_t>(k) % std::size(methods_test::all_kinds);
      const Eigen::MatrixXd g =
          methods_test::random_gradients(methods_test::all_kinds[kind], tasks, random);
      worst.at(plait::text(tasks, " tasks, kind ", kind, ", Gramian ", k));
      if (!g.isZero(0)) check(worst, Eigen::MatrixXd(g * g.transpose()));
    }
  return worst;
}

Eigen::Array<bool, Eigen::Dynamic, 1> with_gradient(const Eigen::MatrixXd& m) {
  return m.diagonal().array() > 0;
}

// Of the numbers of tasks that have a gradient.
double least(const Eigen::MatrixXd& m, const Eigen::VectorXd& numbers) {
  return with_gradient(m)
      .select(numbers.array(), std::numeric_limits<double>::infinity())
      .minCoeff();
}

// True where no direction helps all tasks.
bool combines_to_zero(const Eigen::MatrixXd& m) {
  plait::Scratch scratch;
  const plait::detail::UnitGramian unit(m, scratch);
  auto hull = plait::detail::take_numbers(scratch, unit.size());
  plait::detail::least_norm_weights(unit.cosines, hull, scratch);
  return plait::detail::combines_to_zero(unit.cosines, hull, scratch);
}

double length(const Eigen::MatrixXd& m, const Eigen::VectorXd& alpha) {
  return std::sqrt(std::max(0.0, alpha.dot(m * alpha)));
}

}  // namespace

// α in the simplex; ⟨g_t, d⟩ >= ‖d‖², with equality where α_t > 0.
TEST_CASE("optimality: MGDA is the point of least norm") {
  const Worst worst = worst_of([](Worst& w, const Eigen::MatrixXd& m) {
    const Eigen::VectorXd alpha = weights(plait::MGDA{}, m);
    w.see(std::abs(alpha.sum() - 1));
    w.see(-alpha);
    w.see(with_gradient(m).select(0.0, alpha.array().abs()));
    const Eigen::VectorXd excess = (m * alpha).array() - alpha.dot(m * alpha);
    const double scale = m.diagonal().maxCoeff();
    w.see(-least(m, excess) / scale);
    w.see(alpha.cwiseProduct(excess).cwiseAbs() / scale);
  });
  INFO(worst.text());
  CHECK(worst.value() < 1e-12);
}

// As far from optimal as its tolerance allows, and no farther from the exact direction.
TEST_CASE("optimality: Frank-Wolfe approaches the exact MGDA") {
  const plait::MGDA method{
      .solver = plait::MGDASolver::frank_wolfe, .tolerance = 0, .iterations = 2000};
  const Worst worst = worst_of([&](Worst& w, const Eigen::MatrixXd& m) {
    const Eigen::VectorXd alpha = weights(method, m);
    w.see(std::abs(alpha.sum() - 1));
    w.see(-alpha);
    const Eigen::VectorXd exact = weights(plait::MGDA{}, m);
    w.see((alpha.dot(m * alpha) - exact.dot(m * exact)) / m.diagonal().maxCoeff());
  });
  INFO(worst.text());
  CHECK(worst.value() < 1e-2);  // it converges like 1/k
}

// With u = T λ w, the multiplier of ⟨g_t, d⟩ >= ν: u >= 0, u_t > 0 only where ⟨g_t, d⟩ = ν is
// least, and d lies on the sphere.
TEST_CASE("optimality: CAGrad's direction is the best in its ball") {
  const double c = GENERATE(0.0, 0.4, 0.5, 0.99, 1.0, 2.0, 20.0);
  const Worst worst = worst_of([&](Worst& w, const Eigen::MatrixXd& m) {
    const Eigen::VectorXd alpha = weights(plait::CAGrad{.c = c}, m);
    Eigen::VectorXd mean = with_gradient(m).cast<double>();
    mean /= mean.sum();
    const Eigen::VectorXd u = alpha - mean;
    const double scale = std::sqrt(m.diagonal().maxCoeff());
    const double size = std::max(1.0, u.maxCoeff());
    w.see(-u);
    const Eigen::VectorXd products = m * alpha;
    const Eigen::VectorXd slack = products.array() - least(m, products);
    w.see(u.cwiseProduct(slack) / (scale * scale * size));
    const double radius = c * length(m, mean);
    w.see((length(m, u) - radius) / (scale * std::max(1.0, c)));
    // Inside it only where nothing more can be gained.
    if (!combines_to_zero(m))
      w.see((radius - length(m, u)) / (scale * std::max(1.0, c)));
    else if (length(m, u) < radius - 1e-9 * scale)
      w.see(std::abs(least(m, products)) / scale);
  });
  INFO("c " << c << ": " << worst.text());
  CHECK(worst.value() < 1e-9);
}

// Of every projection v: v >= p e_t and Mv >= 0, each tight where the other is not.
TEST_CASE("optimality: UPGrad's projections are the nearest that hurt no task") {
  const Worst worst = worst_of([](Worst& w, const Eigen::MatrixXd& m) {
    const double p = 1.0 / static_cast<double>(with_gradient(m).count());
    const double scale = m.diagonal().maxCoeff();
    Eigen::VectorXd sum = Eigen::VectorXd::Zero(m.rows());
    for (Index t = 0; t < m.rows(); ++t) {
      if (m(t, t) == 0) continue;
      const Eigen::VectorXd v = methods_test::upgrad_project(m, t, p);
      const Eigen::VectorXd z = v - p * Eigen::VectorXd::Unit(m.rows(), t);
      const Eigen::VectorXd products = m * v;
      const double size = std::max(1.0, v.maxCoeff());
      w.see(-z);
      w.see(-products / (scale * size));
      w.see(z.cwiseProduct(products).cwiseAbs() / (scale * size * size));
      sum += v;
    }
    w.see((sum - weights(plait::UPGrad{}, m)).cwiseAbs());
  });
  INFO(worst.text());
  CHECK(worst.value() < 1e-12);
}

// M w = w^(-1/α); with α = 1, Nash-MTL's condition.
TEST_CASE("optimality: FairGrad and Nash-MTL solve their equations") {
  const double fairness = GENERATE(0.2, 0.5, 1.0, 2.0, 5.0, 10.0);
  int solvable = 0;
  const Worst worst = worst_of([&](Worst& w, const Eigen::MatrixXd& m) {
    const Eigen::VectorXd alpha = weights(plait::FairGrad{.alpha = fairness}, m);
    if (fairness == 1) w.see((alpha - weights(plait::NashMTL{}, m)).cwiseAbs());
    if (combines_to_zero(m)) {
      w.see(std::abs(alpha.sum() - 1));
      w.see(alpha.dot(m * alpha) / alpha.dot(m.cwiseAbs() * alpha));
      return;
    }
    ++solvable;
    for (Index t = 0; t < m.rows(); ++t) {
      if (m(t, t) == 0) {
        w.see(std::abs(alpha[t]));
        continue;
      }
      // Relative to the terms of the sum, whose rounding nothing can avoid.
      const double residual = m.row(t).dot(alpha) - std::pow(alpha[t], -1 / fairness);
      w.see(std::abs(residual) / m.row(t).cwiseAbs().dot(alpha));
      if (!(alpha[t] > 0)) w.see(std::numeric_limits<double>::infinity());
    }
  });
  INFO("alpha " << fairness << ": " << worst.text());
  CHECK(worst.value() < 1e-12);
  CHECK(solvable > 5000);
}

// The projections on unit gradients, up to scale, are those of (1, ..., 1) on what projections can
// be: equal where the gradients are independent.
TEST_CASE("optimality: IMTL-G's projections are as equal as they can be") {
  int nonzero = 0;
  const Worst worst = worst_of([&](Worst& w, const Eigen::MatrixXd& m) {
    const Eigen::VectorXd alpha = weights(plait::IMTLG{}, m);
    if (alpha.isZero(0)) return;
    ++nonzero;
    const double size = alpha.cwiseAbs().maxCoeff();
    w.see(std::abs(alpha.sum() - 1) / size);
    plait::Scratch scratch;
    const plait::detail::UnitGramian unit(m, scratch);
    Eigen::VectorXd got(unit.size());
    for (Index i = 0; i < unit.size(); ++i) got[i] = m.row(unit.task(i)).dot(alpha) / unit.norms[i];
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(unit.cosines);
    Eigen::VectorXd possible = Eigen::VectorXd::Zero(unit.size());
    for (Index i = 0; i < unit.size(); ++i)
      if (eigen.eigenvalues()[i] > 1e-12 * eigen.eigenvalues().maxCoeff())
        possible += eigen.eigenvectors().col(i).sum() * eigen.eigenvectors().col(i);
    const Eigen::VectorXd rest = got - got.dot(possible) / possible.squaredNorm() * possible;
    w.see(rest.cwiseAbs() / (unit.norms.maxCoeff() * size));
  });
  INFO(worst.text());
  CHECK(worst.value() < 1e-10);
  CHECK(nonzero > 7000);
}

// B = (α for the preferences e_1, ..., e_T) turns the gradients into ones whose Gramian B M Bᵀ has
// only the eigenvalue s, and 0 in directions that no gradient has.
TEST_CASE("optimality: Aligned-MTL's gradients have equal singular values") {
  const auto scale =
      GENERATE(plait::AlignedScale::min, plait::AlignedScale::median, plait::AlignedScale::mean);
  const Worst worst = worst_of([&](Worst& w, const Eigen::MatrixXd& m) {
    const Index tasks = m.rows();
    Eigen::MatrixXd b(tasks, tasks);
    for (Index t = 0; t < tasks; ++t) {
      plait::AlignedMTL method{.scale = scale};
      method.preferences.assign(static_cast<std::size_t>(tasks), 0.0);
      method.preferences[static_cast<std::size_t>(t)] = 1;
      b.col(t) = weights(method, m);
    }
    const Eigen::VectorXd original =
        Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(m).eigenvalues();
    const double largest = original[tasks - 1];
    std::vector<double> kept;
    for (const double value : original)
      if (value > plait::detail::rank_tolerance(tasks) * largest) kept.push_back(value);
    double s = kept.front();
    if (scale == plait::AlignedScale::median) s = kept[(kept.size() - 1) / 2];
    if (scale == plait::AlignedScale::mean)
      s = Eigen::Map<Eigen::VectorXd>(kept.data(), std::ssize(kept)).mean();
    const Eigen::VectorXd aligned =
        Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(b * m * b.transpose()).eigenvalues();
    // The least eigenvalue is known to the rounding of the largest.
    const double precision = kept.front() / largest;
    for (Index i = 0; i < tasks; ++i) {
      const double expected = i < tasks - std::ssize(kept) ? 0 : s;
      w.see(std::abs(aligned[i] - expected) / s * precision);
    }
  });
  INFO(worst.text());
  CHECK(worst.value() < 1e-12);
}

// The active-set method visits about as many supports as there are tasks: no limit on their number.
TEST_CASE("optimality: MGDA and UPGrad are exact for many tasks") {
  plait::Random random(6);
  Worst worst;
  for (const Index tasks : {20, 40})
    for (int k = 0; k < 45; ++k) {
      const auto kind = static_cast<std::size_t>(k) % std::size(methods_test::all_kinds);
      const Eigen::MatrixXd g =
          methods_test::random_gradients(methods_test::all_kinds[kind], tasks, random);
      const Eigen::MatrixXd m = g * g.transpose();
      worst.at(plait::text(tasks, " tasks, kind ", kind, ", Gramian ", k));
      const double scale = m.diagonal().maxCoeff();
      const Eigen::VectorXd alpha = weights(plait::MGDA{}, m);
      const Eigen::VectorXd excess = (m * alpha).array() - alpha.dot(m * alpha);
      worst.see(-least(m, excess) / scale);
      worst.see(alpha.cwiseProduct(excess).cwiseAbs() / scale);
      const Eigen::VectorXd projected = weights(plait::UPGrad{}, m);
      worst.see(-(m * projected) / (scale * std::max(1.0, projected.maxCoeff())));
    }
  INFO(worst.text());
  CHECK(worst.value() < 1e-12);
}
