#include "plait/methods/gradient_cosines.hpp"

#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "plait/core/random.hpp"
#include "support/catch.hpp"

using Catch::Matchers::WithinAbs;
using plait::Index;

namespace {

using Buffer = plait::ParamBuffer<double>;

std::shared_ptr<const plait::ParamTable> table() {
  auto result = std::make_shared<plait::ParamTable>();
  result->add_vector("shared", 40, plait::Init::constant(0));
  result->add_vector("private", 8, plait::Init::constant(0));
  return result;
}

std::vector<Buffer> random_gradients(plait::Random& random) {
  std::vector<Buffer> result(3, Buffer(table()));
  for (Buffer& gradient : result)
    for (double& g : gradient.flat()) g = random.normal();
  return result;
}

}  // namespace

TEST_CASE("cosines of the tasks' gradients: means over steps, over the shared numbers alone") {
  plait::Random random(4);
  plait::GradientCosines watch(3);
  const std::vector<plait::ParamRange> shared{{0, 40}};
  Eigen::MatrixXd cosines = Eigen::MatrixXd::Zero(3, 3);
  Eigen::MatrixXd conflicts = Eigen::MatrixXd::Zero(3, 3);
  constexpr int steps = 7;
  for (int step = 0; step < steps; ++step) {
    const auto gradients = random_gradients(random);
    watch.add<double>(gradients, shared);
    for (Index s = 0; s < 3; ++s)
      for (Index t = 0; t < 3; ++t) {
        double product = 0, of_s = 0, of_t = 0;
        for (std::size_t i = 0; i < 40; ++i) {
          const double a = gradients[static_cast<std::size_t>(s)].flat()[i];
          const double b = gradients[static_cast<std::size_t>(t)].flat()[i];
          product += a * b;
          of_s += a * a;
          of_t += b * b;
        }
        cosines(s, t) += product / std::sqrt(of_s * of_t) / steps;
        conflicts(s, t) += product < 0 ? 1.0 / steps : 0;
      }
  }
  const auto report = watch.report();
  CHECK(report.steps == steps);
  CHECK(report.cosines.isApprox(cosines, 1e-12));
  CHECK(report.conflicts.isApprox(conflicts, 1e-12));
  CHECK(conflicts.maxCoeff() > 0);  // or there was nothing to count
}

TEST_CASE("a task without a gradient is left out of the step") {
  plait::GradientCosines watch(3);
  Eigen::MatrixXd gramian(3, 3);
  gramian << 4, -2, 0, -2, 4, 0, 0, 0, 0;
  watch.add(gramian);
  gramian << 4, 6, 0, 6, 9, 0, 0, 0, 0;
  watch.add(gramian);
  const auto report = watch.report();
  CHECK(report.steps == 2);
  CHECK_THAT(report.cosines(0, 1), WithinAbs((-0.5 + 1) / 2, 1e-15));
  CHECK(report.conflicts(0, 1) == 0.5);
  CHECK(report.cosines(1, 1) == 1);
  for (Index t = 0; t < 3; ++t) {
    CHECK(std::isnan(report.cosines(t, 2)));
    CHECK(std::isnan(report.conflicts(2, t)));
  }
}

TEST_CASE("the CSV of cosines has a line per number") {
  plait::GradientCosines watch(2);
  watch.add(Eigen::MatrixXd{{4, -2}, {-2, 4}});
  CHECK(watch.report().csv() ==
        "quantity,task,other,value\n"
        "cosines,0,0,1\n"
        "cosines,0,1,-0.5\n"
        "cosines,1,0,-0.5\n"
        "cosines,1,1,1\n"
        "conflicts,0,0,0\n"
        "conflicts,0,1,1\n"
        "conflicts,1,0,1\n"
        "conflicts,1,1,0\n");
}

TEST_CASE("cosines of what is no Gramian, or of other buffers, are refused") {
  CHECK_THROWS_WITH(plait::GradientCosines(0),
                    "plait::GradientCosines: tasks: got 0, expected at least 1");
  plait::GradientCosines watch(2);
  CHECK_THROWS_WITH(watch.add(Eigen::MatrixXd::Zero(2, 3)),
                    "plait::GradientCosines: gramian: got [2, 3], expected [2, 2]");
  const char* not_products =
      "plait::GradientCosines: gramian: got numbers that are not finite, or a negative diagonal, "
      "expected products of finite gradients";
  CHECK_THROWS_WITH(watch.add(Eigen::MatrixXd{{1, 0}, {0, -1}}), not_products);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(watch.add(Eigen::MatrixXd{{1, nan}, {nan, 1}}), not_products);

  std::vector<Buffer> gradients(2, Buffer(table()));
  const std::vector<plait::ParamRange> outside{{0, 1000}};
  CHECK_THROWS_AS(watch.add<double>(gradients, outside), plait::ConfigError);
  gradients[1] = Buffer();
  CHECK_THROWS_AS(watch.add<double>(gradients, std::span<const plait::ParamRange>()),
                  plait::ShapeError);
  CHECK(watch.report().steps == 0);
}
