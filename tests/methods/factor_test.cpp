// Hyper-parameters that are numbers as double, and 0 or infinity as float.
#include "plait/methods/factor.hpp"

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "methods/support.hpp"
#include "plait/methods/aligned_mtl.hpp"
#include "plait/methods/cagrad.hpp"
#include "plait/methods/geometric_mean.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/gradnorm.hpp"
#include "plait/methods/gradvac.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/methods/nash_mtl.hpp"
#include "plait/methods/scheduled_weights.hpp"
#include "plait/methods/static_weights.hpp"
#include "plait/methods/stch.hpp"
#include "plait/methods/upgrad.hpp"
#include "support/catch.hpp"

using plait::ConfigError;
using plait::LossWeighting;

namespace {

const std::vector<double> not_of_float{1e300, 1e39, 1e-46, 1e-310};
const std::vector<double> of_float{1e38, 1e-37, 1};

}  // namespace

TEST_CASE("factors that float holds as 0 or infinity are refused, by every method") {
  for (const double factor : not_of_float) {
    CAPTURE(factor);
    CHECK_THROWS_AS(plait::CAGrad{.c = factor}.validate(2), ConfigError);
    CHECK_THROWS_AS(plait::NashMTL{.max_norm = factor}.validate(2), ConfigError);
    CHECK_THROWS_AS((plait::UPGrad{.preferences = {1, factor}}).validate(2), ConfigError);
    CHECK_THROWS_AS((plait::AlignedMTL{.preferences = {factor, 1}}).validate(2), ConfigError);
    CHECK_THROWS_AS(LossWeighting(plait::StaticWeights{{1, factor}}, 2), ConfigError);
    CHECK_THROWS_AS(LossWeighting(plait::ScheduledWeights{.initial = {factor, 1}}, 2), ConfigError);
    CHECK_THROWS_AS(LossWeighting(plait::STCH{.preferences = {factor, 1}}, 2), ConfigError);
  }
  for (const double factor : of_float) {
    CAPTURE(factor);
    plait::CAGrad{.c = factor}.validate(2);
    plait::NashMTL{.max_norm = factor}.validate(2);
    plait::UPGrad{.preferences = {0, factor}}.validate(2);
    LossWeighting(plait::StaticWeights{{0, factor}}, 2);
  }
  plait::CAGrad{.c = 0}.validate(2);
  CHECK_THROWS_WITH((plait::StaticWeights{{1, 1e300}}).validate(2),
                    "plait::StaticWeights: values: got 1e+300, expected 0 or a size from "
                    "1.1754943508222875e-38 to 3.4028234663852886e+38, which float can hold");
}

TEST_CASE("weights that have grown beyond what float holds are refused, or held back") {
  LossWeighting scheduled(plait::ScheduledWeights{.factor = {1e20, 1}}, 2);
  scheduled.weigh();
  scheduled.end_epoch();
  CHECK(scheduled.weigh()[0] == 1e20);
  scheduled.end_epoch();
  CHECK_THROWS_AS(scheduled.weigh(), plait::ValueError);
  CHECK(scheduled.weights()[0] == 1e20);

  // 1e-44 is a float above 0: √(1e-44) / (2 · 1e-44) is one as well, 1 / 1e-44 is none.
  const std::vector<double> small{1e-44, 1}, smaller{1e-44, 1e35};
  LossWeighting geometric(plait::GeometricMean{}, 2);
  CHECK(geometric.weigh(small)[0] < 1e23);
  CHECK_THROWS_AS(geometric.weigh(smaller), plait::ValueError);
  LossWeighting tchebycheff(plait::STCH{.log_scale = true}, 2);
  CHECK_THROWS_AS(tchebycheff.weigh(small), plait::ValueError);

  LossWeighting learned(plait::GradNorm{.rule = plait::SGD{.learning_rate = 1e300}}, 3);
  const std::vector<double> losses{1, 2, 3}, norms{1e10, 1, 1e-10};
  for (int k = 0; k < 3; ++k) {
    learned.update(losses, norms);
    for (const double weight : learned.weigh()) CHECK((weight >= 0 && weight <= 3));
  }
}

TEMPLATE_TEST_CASE("a weighted sum beyond all numbers is refused, and changes nothing", "", float,
                   double) {
  auto table = std::make_shared<plait::ParamTable>();
  table->add_vector("p", 4, plait::Init::constant(0));
  const TestType huge = std::numeric_limits<TestType>::max() / 16;
  std::vector<plait::ParamBuffer<TestType>> gradients(2, plait::ParamBuffer<TestType>(table));
  // Squares of the largest doubles are none: lengths up to 1e150 are what a Gramian can hold.
  const double length = sizeof(TestType) == 4 ? double(huge) : 1e140;
  for (auto& gradient : gradients) gradient.flat()[0] = TestType(length);
  gradients[1].flat()[1] = TestType(length);
  plait::ParamBuffer<TestType> out(table);
  out.flat()[0] = 7;
  const std::vector<double> losses{1, 1};
  const plait::CAGrad distant{.c = 1e38};
  plait::GradientBalancer<TestType> balancer(distant, 2, table, {{0, 4}});
  if (sizeof(TestType) == 4) {
    CHECK_THROWS_AS(balancer.combine(gradients, losses, out), plait::ValueError);
    CHECK(out.flat()[0] == 7);
    CHECK(balancer.state().steps == 0);
    CHECK(balancer.gramian().isZero(0));
    CHECK(balancer.weights()[0] == 1);
  } else {
    balancer.combine(gradients, losses, out);
    CHECK(std::isfinite(out.flat()[0]));
  }
  for (auto& gradient : gradients)
    for (TestType& g : gradient.flat()) g /= TestType(1e30);
  plait::GradientBalancer<TestType> usual(plait::CAGrad{}, 2, table, {{0, 4}});
  usual.combine(gradients, losses, out);
  CHECK(std::isfinite(out.flat()[0]));
}
